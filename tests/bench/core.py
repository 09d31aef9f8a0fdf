"""How fast this machine's cores are, so that a bound in seconds means the same on each."""

import re
import statistics
import subprocess

SIGNATURES = 300  # RSA-4096, per second: the core that the issues' bounds were measured on


class Core:
    """Samples between the runs of what is measured, as a shared machine has slow moments."""

    def __init__(self):
        self.samples = []

    def sample(self):
        done = subprocess.run(["openssl", "speed", "-mr", "-seconds", "2", "rsa4096"], capture_output=True, text=True, check=True)
        self.samples.append(float(re.search(r"^\+F2:\d+:4096:([\d.]+):", done.stdout, re.M).group(1)))

    def stretch(self):
        """What a bound is multiplied by: 1 for that core and faster ones."""
        return max(1.0, SIGNATURES / statistics.median(self.samples))

    def __str__(self):
        return f"this core makes {statistics.median(self.samples):.0f} RSA-4096 signatures in a second: bounds in seconds times {self.stretch():.2f}"
