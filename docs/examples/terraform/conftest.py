"""Let the tests use what ``tofu apply`` created."""

import json
import os
import subprocess

output = subprocess.check_output(["tofu", "output", "-json", "-state=emulator.tfstate"])
outputs = json.loads(output)
os.environ.pop("ZITADEL_KEY_FILE", None)  # of the emulator's own project
os.environ.update(outputs["environment"]["value"])
