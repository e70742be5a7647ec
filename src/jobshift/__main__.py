"""`python -m jobshift VERB …`, the same as the console command `jobshift`."""

from jobshift.cli import main

if __name__ == "__main__":
    main()
