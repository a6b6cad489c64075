"""Build the light client, dist/notifybot-client.pyz: the client commands in one file, standard library alone.

Usage: python3 packaging/client.py TARGET. The file runs wherever python3 (3.11 or newer) does. The same tree makes the
same bytes.
"""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    "__init__.py",
    "__main__.py",
    "errors.py",
    "client/**/*.py",
    "cli/**/*.py",
    *(f"times/{name}.py" for name in ("__init__", "spans", "timestamps", "wall_clock", "zones")),
)
SHEBANG = b"#!/usr/bin/env python3\n"
START = "import sys\nfrom notifybot.cli import main\nsys.exit(main())\n"
EPOCH = (2020, 1, 1, 0, 0, 0)


def main() -> None:
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w") as archive:
            for path in sorted({path for part in PARTS for path in (ROOT / "notifybot").glob(part)}):
                archive.writestr(
                    zipfile.ZipInfo(str(path.relative_to(ROOT)), EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED
                )
            archive.writestr(zipfile.ZipInfo("__main__.py", EPOCH), START)
    target.chmod(0o755)
    print(f"{target}: {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
