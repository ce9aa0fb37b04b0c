"""Takes the night's frames: light on the chips, what goes wrong, noise, read-out, files."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.core.atomic import atomic_write
from muse_nb.core.progress import Progress
from muse_nb.simulator.cascade.arcs import ARC_LAMPS
from muse_nb.simulator.cascade.faults import ARC_EXCESS, BIAS_LIGHT, SHIFT
from muse_nb.simulator.cascade.headers import frame_header
from muse_nb.simulator.cascade.light import LAMP_LEVEL, Light, arc, expected_images, lamp, stars, twilight
from muse_nb.simulator.cascade.schedule import Frame
from muse_nb.simulator.cascade.stars import Field
from muse_nb.simulator.detector import cosmic_rays, damage, read_out
from muse_nb.simulator.headers import chip_header
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.seeds import generator

__all__ = ["DARK_CURRENT", "write_frames"]

DARK_CURRENT = 1.0 / 3600  # [electron/s]


def write_frames(
    folder: Path, instrument: Instrument, frames: Sequence[Frame], fields: Mapping[str, Field], progress: Progress
) -> None:
    """Write raw frames, all at the end, in the memory of one chip's images.

    Parameters
    ----------
    folder
        Where they are written, by their names; what is there is replaced.
    instrument, frames
        What is taken, and by what.
    fields
        What the frames of stars look at, by tag.
    progress
        Told of every chip of every frame.
    """
    layout = instrument.layout
    lights = _lights(instrument, frames, fields)
    done, total = 0, len(frames) * len(layout.ifus)
    with ExitStack() as stack:
        parts = [stack.enter_context(atomic_write(folder / frame.name, force=True)) for frame in frames]
        for frame, part in zip(frames, parts, strict=True):
            field = fields.get(frame.tag)
            header = frame_header(layout, frame, field.target if field else "", field.pointing if field else None)
            fits.PrimaryHDU(header=header).writeto(part, overwrite=True)
        for ifu in layout.ifus:
            images = expected_images(instrument, ifu, lights)
            for frame, part in zip(frames, parts, strict=True):
                raw = _expose(instrument, ifu, frame, images)
                fits.append(part, raw, chip_header(layout, ifu), verify=False)
                done += 1
                progress("raw frames", done, total)
            del images  # before the next chip's are made


def _light_of(frame: Frame) -> str:
    """Name of a frame's light, which frames of one lamp share; empty where there is none."""
    if frame.tag == "BIAS":
        return "continuum" if "light-in-bias" in frame.faults else ""
    if frame.tag == "DARK":
        return ""
    return frame.lamp or frame.tag


def _lights(instrument: Instrument, frames: Sequence[Frame], fields: Mapping[str, Field]) -> dict[str, Light]:
    known: dict[str, Light] = {"continuum": lamp, "SKYFLAT": twilight} | {name: arc(name) for name in ARC_LAMPS}
    wanted = {_light_of(frame) for frame in frames} - {""}
    return {name: stars(fields[name], instrument) if name in fields else known[name] for name in sorted(wanted)}


def _expose(instrument: Instrument, ifu: int, frame: Frame, images: Mapping[str, np.ndarray]) -> np.ndarray:
    """Take one frame with one chip: raw counts."""
    layout = instrument.layout
    random = generator(instrument.seed, f"cascade {frame.name}", ifu)
    expected = _with_faults(frame, images.get(_light_of(frame)))
    if frame.tag == "DARK":
        expected = np.full((layout.ny, layout.nx), DARK_CURRENT * frame.exptime, np.float32)
    if expected is None:
        electrons = np.zeros((layout.ny, layout.nx), np.float32)
    else:
        electrons = random.poisson(expected).astype(np.float32)
    damage(instrument, ifu, electrons, frame.exptime)
    electrons += cosmic_rays(instrument, ifu, zlib.crc32(frame.name.encode()), frame.exptime)
    return read_out(instrument, ifu, electrons, random)


def _with_faults(frame: Frame, expected: np.ndarray | None) -> np.ndarray | None:
    """Change the light of a frame by what is wrong with it."""
    if expected is None or not frame.faults:
        return expected
    if "lamp-off" in frame.faults:
        return None
    if "saturated-arc" in frame.faults:
        expected = expected * np.float32(ARC_EXCESS)
    if "light-in-bias" in frame.faults:
        expected = expected * np.float32(BIAS_LIGHT / LAMP_LEVEL)
    if "shifted-detector" in frame.faults:
        moved = np.zeros_like(expected)
        moved[:, :-SHIFT] = expected[:, SHIFT:]
        expected = moved
    return expected
