"""Lines of the arc lamps, as simulated and as the LINE_CATALOG tells them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ARC_LAMPS", "ELECTRONS", "ArcLine", "arc_lines"]

ELECTRONS = 1000.0
"""Of a line of brightness 1, in one column of the chip."""


@dataclass(frozen=True)
class ArcLine:
    """A line of a lamp.

    Attributes
    ----------
    wavelength
        In air [Angstrom], of the laboratory (NIST's).
    brightness
        A round number that keeps it below saturation, in units of `ELECTRONS`.
    ion
        As the LINE_CATALOG names it; muse_wavecal knows the lamp by its first two letters.
    quality
        As muse_wavecal reads it: 5 bright and isolated, the width is measured too; 3 good; 1 for the pattern alone.
    """

    wavelength: float
    brightness: float
    ion: str
    quality: int


# By lamp, ion and quality: wavelength and brightness. Lines of a lamp nearer than 1.5 Angstrom would both be ignored.
_LINES: dict[str, dict[tuple[str, int], tuple[tuple[float, float], ...]]] = {
    "HgCd": {
        ("CdI", 5): (
            (4678.149, 40), (4799.912, 60), (5085.822, 90), (6438.47, 90),
        ),
        ("HgI", 5): (
            (5460.75, 90),
        ),
        ("HgI", 3): (
            (4916.068, 6), (5769.61, 30), (5790.67, 30), (6907.46, 4), (7081.9, 3), (7091.86, 3),
        ),
        ("HgI", 1): (
            (6716.43, 3),
        ),
    },
    "Ne": {
        ("NeI", 5): (
            (5852.488, 60), (5944.834, 50), (6074.338, 45), (6096.163, 50), (6143.063, 60), (6266.495, 45),
            (6334.428, 55), (6382.991, 60), (6402.248, 90), (6506.528, 70), (6598.953, 50), (6678.276, 70),
            (6929.467, 70), (7032.413, 80), (7245.167, 60), (7438.898, 40), (8300.326, 25), (8377.608, 50),
            (8495.36, 35), (8783.753, 25),
        ),
        ("NeI", 3): (
            (5330.778, 6), (5341.094, 9), (5400.562, 12), (5764.419, 6), (5881.895, 40), (5975.534, 20),
            (6029.997, 20), (6163.594, 35), (6217.281, 30), (6304.789, 25), (6532.882, 35), (6717.043, 35),
            (7024.05, 12), (7059.107, 6), (7173.938, 20), (7488.871, 25), (7535.774, 20), (7544.044, 10),
            (7943.181, 8), (8082.458, 5), (8118.549, 5), (8136.406, 9), (8418.427, 12), (8591.259, 15),
            (8634.647, 18), (8654.383, 35), (8681.921, 10), (8704.112, 6), (8853.867, 10), (8919.501, 5),
            (9148.672, 6), (9201.759, 6), (9300.853, 6),
        ),
    },
    "Xe": {
        ("XeI", 5): (
            (7642.024, 30), (8231.635, 90), (8280.116, 80), (8346.822, 60), (8409.189, 40), (8819.411, 90),
            (8952.251, 60), (9045.446, 45), (9162.652, 45),
        ),
        ("XeI", 3): (
            (4734.152, 15), (4792.619, 6), (4807.019, 12), (4829.708, 7), (4843.293, 6), (4916.507, 10),
            (4923.152, 10), (5028.279, 6), (5823.89, 5), (6182.42, 8), (6318.062, 10), (6469.705, 12), (6487.765, 6),
            (6668.92, 9), (6728.008, 10), (6827.315, 12), (6872.107, 6), (6882.155, 18), (6976.182, 8),
            (7119.598, 25), (7285.301, 6), (7386.003, 8), (7393.793, 9), (7584.68, 15), (7802.651, 8), (7887.393, 20),
            (7967.342, 25), (8057.258, 12), (8061.339, 12), (8206.336, 30), (8266.52, 25), (8692.2, 8),
            (8739.372, 15), (8862.32, 15), (8908.73, 12), (8930.83, 12), (8987.57, 12),
        ),
    },
}  # fmt: skip

ARC_LAMPS = tuple(_LINES)


def arc_lines(lamp: str = "") -> Iterator[ArcLine]:
    """Give the lines of a lamp, ``HgCd``, ``Ne`` or ``Xe``, or of all three."""
    for name, groups in _LINES.items():
        if lamp in ("", name):
            for (ion, quality), lines in groups.items():
                yield from (ArcLine(wavelength, brightness, ion, quality) for wavelength, brightness in lines)
