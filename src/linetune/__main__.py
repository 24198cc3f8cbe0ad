"""``python -m linetune``"""

from linetune.cli import main

if __name__ == "__main__":
    main()
