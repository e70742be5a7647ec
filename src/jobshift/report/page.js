
// Sorts a table by the column whose heading is pressed: first the other way round than numbers grow,
// then back. What has no value stays below.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const rows = [...table.tBodies[0].rows];
      const values = new Map(rows.map((row) => [row, row.cells[column].dataset.value]));
      const known = rows.filter((row) => values.get(row) !== undefined);
      const numbers = known.every((row) => values.get(row) !== "" && Number.isFinite(Number(values.get(row))));
      const before = heading.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numbers;
      const compare = (a, b) =>
        numbers ? values.get(a) - values.get(b) : values.get(a).localeCompare(values.get(b), "en");
      known.sort((a, b) => (down ? compare(b, a) : compare(a, b)));
      table.tBodies[0].append(...known, ...rows.filter((row) => !known.includes(row)));
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  });
}
