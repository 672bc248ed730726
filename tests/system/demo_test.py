#!/usr/bin/env python3
"""What the demo does to the directory for its results; the demo itself is not run."""

import pathlib
import subprocess
import sys

import vmunit

DEMO = pathlib.Path(__file__).resolve().parents[2] / "scripts/demo.py"


class DemoOutputTest(vmunit.TestCase):
    def prepare(self, directory):
        command = [sys.executable, "-B", str(DEMO), "--output", str(directory), "--prepare-only"]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)

    def test_foreign_files_survive(self):
        letter, below = self.files / "letter.txt", self.files / "photos" / "ann-fax.pdf"
        below.parent.mkdir()
        for file in (letter, below):
            file.write_text("mine")
        done = self.prepare(self.files)
        self.assertNotEqual(0, done.returncode)
        self.assertIn(f"demo: {self.files}: it has files that the demo did not make", done.stderr)
        self.assertIn("--output", done.stderr)
        self.assertEqual(["letter.txt", "photos"], sorted(f.name for f in self.files.iterdir()))
        self.assertEqual(["mine", "mine"], [letter.read_text(), below.read_text()])

    def test_own_results_are_replaced_and_nothing_else(self):
        directory = self.files / "new" / "demo"
        self.assertEqual(0, self.prepare(directory).returncode)
        for name in ("ann-fax.pdf", "bob-voice.eml", "notes.txt", "ann-fax.pdf.bak"):
            (directory / name).write_text("x")
        done = self.prepare(directory)
        self.assertEqual(0, done.returncode, done.stderr)
        left = sorted(f.name for f in directory.iterdir())
        self.assertEqual([".vmemail-demo", "ann-fax.pdf.bak", "notes.txt"], left)

    def test_an_empty_directory_will_do_and_a_file_will_not(self):
        (self.files / "empty").mkdir()
        self.assertEqual(0, self.prepare(self.files / "empty").returncode)
        (self.files / "file").write_text("mine")
        done = self.prepare(self.files / "file")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("demo: ", done.stderr)
        self.assertEqual("mine", (self.files / "file").read_text())


if __name__ == "__main__":
    vmunit.main()
