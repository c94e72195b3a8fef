"""The results page in Markdown: the paper's tables beside the scores of the systems trained here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from retinagan.train.paper.printed import CLAIMS, TABLE_1, TABLE_2, Printed, System
from retinagan.train.paper.reproduction import Result, gain, ranks
from retinagan.train.scores.bootstrap import LEVEL, RESAMPLES
from retinagan.train.scores.evaluation import FOV, POOLED, REGIONS, SECOND, SQUARE, WHOLE
from retinagan.train.scores.files import TITLES
from retinagan.train.scores.metrics import Scores

RATES = {"Acc": "accuracy", "Sen": "sensitivity", "Spe": "specificity"}
LINE_FIGURES = {"9": "accuracy", "10": "sensitivity", "11": "specificity"}
"""The paper's figures with a line for each system of table 1."""

_MISSING = "not trained"


@dataclass(frozen=True)
class Facts:
    """How the figures on the page were produced.

    Attributes
    ----------
    command : str
        The command that produced them.
    data : str
        The dataset's name.
    images : int
        Number of test images scored.
    iterations : int
        Training budget of each system.
    batch : int
        Number of whole images in each iteration.
    patches : int
        Number of patches that each image is cut into.
    models : str
        Where the models are, as Markdown.
    machine : str
        Software and CPU that scored them.
    progress : tuple of int
        Iterations after which figure 7 shows a map.
    synthetic : bool
        Whether figures 7 and 8 show synthetic images.
    """

    command: str
    data: str
    images: int
    iterations: int
    batch: int
    patches: int
    models: str
    machine: str
    progress: tuple[int, ...]
    synthetic: bool


def results_page(results: Sequence[Result], facts: Facts) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    results : sequence of Result
        One for each trained system; at least one.
    facts : Facts
        How they were produced.
    """
    found = {result.system: result for result in results}
    sections = [
        _opening(facts),
        "## Table 1: systems\n\nEach cell: paper / here, whole image at 512x512.\n\n"
        + _beside(TABLE_1, found),
        "## Table 2: preprocessing\n\nEach cell: paper / here, whole image at 512x512. The paper has no "
        "column without equalization.\n\n" + _beside(TABLE_2, found),
        _inconsistency(results[0]),
        _claims(found),
        _ranking(list(results)),
        _all_scores(results),
        _figures(facts),
    ]
    if any(result.log for result in results):
        sections.append(_training(results, facts.models))
    return "\n\n".join(sections) + "\n"


def _opening(facts: Facts) -> str:
    budget = f"{facts.iterations:,} {'iteration' if facts.iterations == 1 else 'iterations'}"
    batch = "one whole image" if facts.batch == 1 else f"{facts.batch} whole images, each"
    cut = "one patch" if facts.patches == 1 else f"{facts.patches} patches"
    return f"""# The paper's tables

    {facts.command}

trains those of the paper's systems that are missing and writes this page. All systems have the same budget:
{budget} of {batch} cut into {cut} and regrouped, on the same images in the
same order. U-Net and RU-Net have no discriminator; for the others, the discriminator's step comes on top of
each iteration. The split is by image: none of the {facts.images} test
images of {facts.data} was used for training, and each threshold was chosen on training images. Scored with
{facts.machine}.

The paper does not say which pixels its rates cover. The whole image at 512x512 is the closest match, but not
the same; this page reports the other regions too, each labelled. "GAN" is read as U-Net trained against the
discriminator."""


def _beside(columns: Mapping[System, Printed | None], found: Mapping[System, Result]) -> str:
    lines = [["", *(system.title for system in columns)]]
    for title, name in RATES.items():
        cells = [_pair(printed, found.get(system), name) for system, printed in columns.items()]
        lines.append([title, *cells])
    return _markdown(lines)


def _pair(printed: Printed | None, result: Result | None, name: str) -> str:
    theirs = "-" if printed is None else f"{getattr(printed, name):.3f}"
    ours = _MISSING if result is None else f"{getattr(result.pooled(SQUARE), name):.3f}"
    return f"{theirs} / {ours}"


def _inconsistency(result: Result) -> str:
    shares = ", ".join(f"{printed.vessel_share:.1%}" for printed in TABLE_1.values())
    impossible = [(system, row) for system, row in TABLE_2.items() if row is not None and not row.possible]
    broken = " and ".join(
        f"{system.title} (Acc {row.accuracy} above Spe {row.specificity})" for system, row in impossible
    )
    last = TABLE_1[System("retina-gan", "ace")]
    twice = _printed_twice()
    share = result.shares[WHOLE]
    implied = share * last.sensitivity + (1 - share) * last.specificity
    return f"""## Inconsistencies in the paper's figures

Accuracy is the mean of sensitivity and specificity, weighted by the shares of vessel and background pixels,
so it lies between the two. Two columns of the paper's second table violate this: {broken}. The columns of its
first table imply vessel shares of {shares}; the test images here have {share:.1%} over the whole
image and {result.shares[FOV]:.1%} inside the FOV. At the former share, Retina-GAN's Sen and Spe give an Acc
of {implied:.4f}, not {last.accuracy}. The two tables disagree on {twice}. This page
therefore quotes the paper's figures as printed, and ranks the systems by scores that no threshold changes."""


def _printed_twice() -> str:
    """Name the figures that the two tables print differently for the same system."""
    pairs = [(system, row, TABLE_2.get(system)) for system, row in TABLE_1.items()]
    return "; ".join(
        f"{system.title}: {name} is {getattr(row, score)} in one and {getattr(other, score)} in the other"
        for system, row, other in pairs
        if row is not None and other is not None
        for name, score in RATES.items()
        if getattr(row, score) != getattr(other, score)
    )


def _claims(found: Mapping[System, Result]) -> str:
    names = {"AUC": "auc", "Sen at Spe 0.98": "sensitivity_at_98"}
    verdicts: dict[str, list[str]] = {"above": [], "below": [], "not told apart": []}
    lines = [["claim", "first", "second", *(word for name in names for word in (name, "first is"))]]
    for claim in CLAIMS:
        cells = [_MISSING, ""] * len(names)
        if claim.better in found and claim.worse in found:
            pair = found[claim.better], found[claim.worse]
            cells = [
                word
                for one in (gain(*pair, FOV, name) for name in names.values())
                for word in (one.printed(), one.verdict)
            ]
            verdicts[cells[1]].append(f"{claim.text} ({claim.better.title} over {claim.worse.title})")
        text = claim.text if claim.of_the_paper else f"{claim.text}?"
        lines.append([text, claim.better.title, claim.worse.title, *cells])
    return f"""## The paper's claims, tested on these images

The claims are what the paper concludes from its tables; those with a question mark it leaves open. Each
figure is the first system's score minus the second's, {FOV}, all pixels pooled; in brackets, {LEVEL:.0%} of
{RESAMPLES:,} resamples of the test images, the same ones for both systems. Where the interval reaches 0 at
four decimals, these images do not tell the two systems apart. The intervals are not corrected for
multiple comparisons: of {2 * len(CLAIMS)}, one may well exclude 0 by chance. They do not cover other seeds:
each system was trained once.

{_markdown(lines)}

By AUC, these images support: {_listed(verdicts["above"])}.

They contradict: {_listed(verdicts["below"])}.

They leave undecided: {_listed(verdicts["not told apart"])}."""


def _listed(claims: list[str]) -> str:
    return "; ".join(claims) or "none"


def _ranking(results: list[Result]) -> str:
    parts = [
        f"## Ranks\n\nBy AUC, and by sensitivity at a specificity of 0.98. In brackets, {LEVEL:.0%} of "
        f"{RESAMPLES:,} resamples of the test images, the same ones for all systems. These are ranks of "
        "single systems; the table above compares pairs. Each system was trained once: another seed may "
        "change its rank too."
    ]
    for region in (FOV, SQUARE):
        lines = [["system", "AUC", "rank", "Sen at Spe 0.98", "rank"]]
        columns = [ranks(results, region, name) for name in ("auc", "sensitivity_at_98")]
        for _, number in sorted((columns[0][number][0], number) for number in range(len(results))):
            cells = [results[number].system.title]
            for name, column in zip(("auc", "sensitivity_at_98"), columns, strict=True):
                rank, low, high = column[number]
                single = results[number].interval(region) is None
                cells += [
                    _with_interval(results[number], region, name),
                    f"{rank}" if single else f"{rank} [{low}-{high}]",
                ]
            lines.append(cells)
        parts.append(f"{region[0].upper()}{region[1:]}:\n\n{_markdown(lines)}")
    return "\n\n".join(parts)


def _with_interval(result: Result, region: str, name: str) -> str:
    value, spread = getattr(result.pooled(region), name), result.interval(region)
    if spread is None:
        return f"{value:.4f}"
    low, high = (getattr(end, name) for end in spread)
    return f"{value:.4f} [{low:.3f}-{high:.3f}]"


def _all_scores(results: Sequence[Result]) -> str:
    parts = ["## All scores\n\nAll pixels pooled, each system at its own threshold."]
    for region in REGIONS:
        lines = [["system", "parameters", "threshold", *TITLES]]
        for result in results:
            facts = [result.system.title, f"{result.parameters:,}", f"{result.threshold:.3f}"]
            lines.append([*facts, *_cells(result.pooled(region))])
        for row in results[0].rows:
            if (row.map, row.region, row.image) == (SECOND, region, POOLED):
                lines.append([SECOND, "", "", *_cells(row.scores)])
        parts.append(f"{region[0].upper()}{region[1:]}:\n\n{_markdown(lines)}")
    return "\n\n".join(parts)


def _cells(scores: Scores) -> list[str]:
    return [f"{value:.4f}" if value == value else "-" for value in astuple(scores)]


def _figures(facts: Facts) -> str:
    parts = ["## Figures"]
    if facts.synthetic:
        parts += [
            "Figures 7 and 8 of the paper, with a synthetic eye (`examples/`) instead of a patient's:",
            f"![A detail beside Retina-GAN's map after {', '.join(f'{one:,}' for one in facts.progress)} "
            "iterations](images/figure-7.png)",
            "![Image, truth, RU-Net and Retina-GAN](images/figure-8.png)",
        ]
    parts.append("Figures 9 to 11: each test image, whole image at 512x512.")
    parts += [
        f"![{name} of each test image](images/figure-{number}.png)" for number, name in LINE_FIGURES.items()
    ]
    return "\n\n".join(parts)


def _training(results: Sequence[Result], models: str) -> str:
    lines = [["system", "iterations", "pixel loss", "G's adversarial loss", "D's loss", "D(x)", "D(G(z))"]]
    for result in results:
        for part in result.log:
            figures = ("-" if math.isnan(mean) else f"{mean:.3f}" for mean in part.means.values())
            lines.append([result.system.title, f"{part.first:,}-{part.last:,}", *figures])
    return f"""## The trainings

Means over the first and the last tenth of each `log.csv`. D(x) and D(G(z)) are the discriminator's outputs
for an expert's map and for the generator's: 1 means an expert's, 0 a generated one. The logs and models are
in {models}; each model's record holds the command and all options.

{_markdown(lines)}"""


def _markdown(lines: Iterable[Sequence[str]]) -> str:
    head, *body = lines
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))
