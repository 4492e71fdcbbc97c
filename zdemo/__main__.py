"""``python -m zdemo``."""

from zdemo.cli import main

if __name__ == "__main__":
    main()
