// Opened sentences are explained, titles of occupations lead to them, buttons save files.
// gradio calls this once for each part of the page, with `element`, `trigger` and `server`.
// Where the server cannot be reached, gradio's answer is undefined.
const orFailed = (answer) => answer ?? { error: element.querySelector("[data-failed]").dataset.failed }
const textOf = (sentence) => sentence.querySelector(".text").textContent

element.addEventListener("click", async (event) => {
  const button = event.target.closest("button")
  if (button?.dataset.code) trigger("click", { code: button.dataset.code })
  if (!button?.dataset.save || button.getAttribute("aria-busy") === "true") return
  const said = element.querySelector(".saving")
  button.setAttribute("aria-busy", "true")
  said.textContent = said.dataset.saving
  const texts = Array.from(element.querySelectorAll(".sentence"), textOf)
  const codes = (button.dataset.codes ?? "").split(" ").filter(Boolean)
  const file = orFailed(await server.save({ name: button.dataset.save, texts, codes }))
  button.removeAttribute("aria-busy")
  said.textContent = file.error ?? ""
  if (file.url) Object.assign(document.createElement("a"), { href: file.url, download: file.name }).click()
})

// What is new is not left unseen below the fold.
watch("value", () => {
  if (element.getBoundingClientRect().top > innerHeight - 160) element.scrollIntoView()
})

// `toggle` comes by mouse and keyboard alike, and does not bubble.
element.addEventListener("toggle", async ({ target }) => {
  const place = target.querySelector(".explanation")
  if (!target.open || !place || place.dataset.asked) return
  const sentence = target.closest(".sentence"), text = textOf(sentence)
  place.dataset.asked = text
  place.textContent = place.dataset.waiting
  const found = orFailed(await server.explain(text))
  if (textOf(sentence) !== text || place.dataset.asked !== text) return // rated anew meanwhile
  if (found.error) { place.textContent = found.error; delete place.dataset.asked } else place.innerHTML = found.html
}, true)
