"""The `quaver` command on numpy arrays. Everything about formats and jobs is the command's."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np


class Quaver:
    """Runs the command with arrays in files of one folder."""

    def __init__(self, binary, folder):
        self.binary = Path(binary)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _run(self, *arguments):
        command = [str(self.binary), *map(str, arguments)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"exit status {done.returncode}: {' '.join(command)}")
        return done.stdout

    def _save(self, name, array):
        path = self.folder / f"{name}.npy"
        np.save(path, array)
        return path

    def format(self, name):
        """The format's row of the table."""
        return json.loads(self._run("formats", name, "--json"))["formats"][0]

    def config(self, name):
        """The named core configuration."""
        return json.loads(self._run("configs", name, "--json"))["configs"][0]

    def convert(self, values, to):
        """Codes of FP32 values in the format `to`, saturating."""
        source = self._save("convert.in", values.astype(np.float32))
        result = self.folder / "convert.out.npy"
        self._run(
            *("convert", "--from", "fp32", "--to", to, "--overflow", "saturate"),
            *(source, "-o", result),
        )
        return np.load(result)

    def generate(self, config, folder):
        """Writes the Verilog of a configuration."""
        self._run("generate", "--config", config, "-o", folder)

    def gemm(self, job, engine, config, vcd=None):
        """The result of a job and the engine's report."""
        result = self.folder / f"d.{engine}.npy"
        command = [
            *("gemm", "--engine", engine, "--config", config),
            *("--a", self._save("a", job["a"]), "--format-a", job["format"]),
            *("--b", self._save("b", job["b"]), "--format-b", job["format"]),
            *("--scale-b", self._save("scale", job["scale"])),
            *("--bias", self._save("bias", job["bias"])),
            *("--out", job["out"], "--overflow", job["overflow"]),
            *("--json", "-o", result),
        ]
        if job["relu"]:
            command.append("--relu")
        if vcd is not None:
            command += ["--vcd", vcd]
        report = json.loads(self._run(*command))
        return np.load(result), report
