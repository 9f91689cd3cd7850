"""The protein of every class lies where its definition says, in the compartments that were drawn."""

import cv2
import numpy as np
import pytest

from keras_hpa import atlas
from keras_hpa.synthetic_atlas.compartments import Compartments
from keras_hpa.synthetic_atlas.protein import draw_pattern
from keras_hpa.synthetic_atlas.scene import CYTOKINESIS, FIELD, METAPHASE, make_scene

_SIZE = 384
_PIXEL = FIELD / _SIZE


@pytest.fixture(scope="module", params=range(4))
def cells(request):
    """A field with two spindles and two bridges, large enough to see where things lie."""
    scene = make_scene(np.random.default_rng([9, request.param]), (2, 2))
    return Compartments(scene, (_SIZE, _SIZE), _PIXEL, (9, request.param))


def _share(picture, mask):
    """How much of the protein lies in a mask."""
    assert picture.sum() > 0
    return float((picture * mask).sum() / picture.sum())


def _distance_to(mask):
    """How far every pixel is from a mask, in micrometres."""
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) * _PIXEL


def _near_points(points, radius):
    """The pixels within `radius` micrometres of any of the points."""
    canvas = np.zeros((_SIZE, _SIZE), np.uint8)
    for x, y in points / _PIXEL - 0.5:
        cv2.circle(canvas, (round(x), round(y)), round(radius / _PIXEL), 1, -1)
    return canvas > 0


def _pattern(cells, name):
    return draw_pattern(cells, atlas.CLASS_NAMES.index(name))


def _interphase_nuclei(cells):
    return cells.canvas().fill(cells.nucleus_outlines[cells.interphase]).picture() > 0.5


def _organizers(cells):
    owner = cells.interphase
    return cells.scene.in_cytoplasm(owner, cells.scene.organizer[owner], cells.scene.organizer_depth[owner])


@pytest.mark.parametrize(
    "name", ["Nucleoplasm", "Nucleoli", "Nucleoli fibrillar center", "Nuclear speckles", "Nuclear bodies"]
)
def test_nuclear_classes_lie_in_nuclei(cells, name):
    assert _share(_pattern(cells, name), cells.nucleus > 0.1) > 0.95


@pytest.mark.parametrize(
    "name",
    [
        "Endoplasmic reticulum",
        "Golgi apparatus",
        "Peroxisomes",
        "Endosomes",
        "Lysosomes",
        "Intermediate filaments",
        "Lipid droplets",
        "Mitochondria",
        "Aggresome",
        "Cytosol",
        "Cytoplasmic bodies",
        "Rods & rings",
    ],
)
def test_cytoplasmic_classes_lie_in_cells_and_mostly_outside_nuclei(cells, name):
    picture = _pattern(cells, name)
    assert _share(picture, cells.body > 0.1) > 0.9
    inside, outside = cells.nucleus > 0.5, (cells.body > 0.5) & (cells.nucleus < 0.1)
    # Not by far: some lie above and below the nucleus too, and shine through out of focus.
    assert picture[outside].mean() > 1.1 * picture[inside].mean()


def test_nuclear_membrane_is_a_rim(cells):
    picture = _pattern(cells, "Nuclear membrane")
    nucleus = _interphase_nuclei(cells)
    edge = nucleus & (_distance_to(~nucleus) < 0.7)
    middle = nucleus & (_distance_to(~nucleus) > 1.6)
    assert picture[edge].mean() > 2 * picture[middle].mean()
    assert _share(picture, _distance_to(nucleus | (cells.nucleus > 0.1)) < 0.8) > 0.95


def test_nucleoplasm_avoids_nucleoli(cells):
    picture = _pattern(cells, "Nucleoplasm")
    inside = cells.nucleus > 0.9
    assert picture[inside & (cells.nucleoli < 0.1)].mean() > 1.5 * picture[cells.nucleoli > 0.9].mean()


def test_nucleoli_fill_nucleoli(cells):
    picture = _pattern(cells, "Nucleoli")
    assert _share(picture, cells.nucleoli > 0.05) > 0.9
    assert (picture[cells.nucleoli > 0.9] > 0.2).mean() > 0.9


def test_fibrillar_centers_are_dots_within_nucleoli(cells):
    picture = _pattern(cells, "Nucleoli fibrillar center")
    assert _share(picture, cells.nucleoli > 0.3) > 0.8
    assert 0.02 < (picture[cells.nucleoli > 0.5] > 0.3).mean() < 0.6


@pytest.mark.parametrize("name", ["Nuclear speckles", "Nuclear bodies"])
def test_speckles_and_bodies_leave_nucleoli_out(cells, name):
    assert _share(_pattern(cells, name), cells.nucleoli > 0.7) < 0.05


def test_speckles_are_more_than_bodies(cells):
    covered = [
        (_pattern(cells, name) > 0.4)[cells.nucleus > 0.5].mean() for name in ("Nuclear speckles", "Nuclear bodies")
    ]
    assert covered[0] > 1.5 * covered[1] > 0


def test_reticulum_is_the_yellow_channel_and_fades_outwards(cells):
    picture = _pattern(cells, "Endoplasmic reticulum")
    cytoplasm = cells.cytoplasm > 0.9
    assert np.corrcoef(picture[cytoplasm], cells.reticulum[cytoplasm])[0, 1] > 0.8
    assert picture[cytoplasm & (cells.depth > 3)].mean() > picture[cytoplasm & (cells.depth < 1)].mean()


@pytest.mark.parametrize(
    ("name", "radius"),
    [("Golgi apparatus", 9.0), ("Microtubule organizing center", 3.0), ("Centrosome", 2.2), ("Aggresome", 9.0)],
)
def test_organizing_center_and_its_neighbours_lie_beside_the_nucleus(cells, name, radius):
    picture = _pattern(cells, name)
    interphase = cells.per_cell((cells.scene.phase != METAPHASE) * 1.0) > 0.5
    assert _share(picture * interphase, _near_points(_organizers(cells), radius)) > 0.8


def test_centrosome_is_smaller_than_organizing_center(cells):
    small, large = ((_pattern(cells, n) > 0.3).sum() for n in ("Centrosome", "Microtubule organizing center"))
    assert 0 < 1.5 * small < large


def test_lysosomes_crowd_around_the_organizing_center_and_peroxisomes_do_not(cells):
    near = _near_points(_organizers(cells), 6)
    assert _share(_pattern(cells, "Lysosomes"), near) > 1.3 * _share(_pattern(cells, "Peroxisomes"), near)


def test_endosomes_lie_farther_out_than_lysosomes(cells):
    mean_distance = [
        np.average(cells.from_nucleus, weights=_pattern(cells, name)) for name in ("Endosomes", "Lysosomes")
    ]
    assert mean_distance[0] > mean_distance[1]


def test_vesicles_differ_in_number():
    counts = dict.fromkeys(("Peroxisomes", "Endosomes", "Cytoplasmic bodies"), 0)
    for seed in range(3):
        cells = Compartments(make_scene(np.random.default_rng(seed), (0, 0)), (1024, 1024), FIELD / 1024, (seed,))
        for name in counts:
            counts[name] += cv2.connectedComponents((_pattern(cells, name) > 0.25).astype(np.uint8))[0]
    assert counts["Peroxisomes"] > 1.5 * counts["Endosomes"] > 3 * counts["Cytoplasmic bodies"] > 0


def test_lipid_droplets_are_hollow():
    for seed in range(3):
        scene = make_scene(np.random.default_rng([1, seed]), (0, 0))
        cells = Compartments(scene, (1024, 1024), FIELD / 1024, (1, seed))
        wall = (_pattern(cells, "Lipid droplets") > 0.3).astype(np.uint8)
        _, hierarchy = cv2.findContours(wall, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[-2:]
        holes, outlines = (hierarchy[0, :, 3] >= 0).sum(), (hierarchy[0, :, 3] < 0).sum()
        assert holes > 0.7 * outlines


@pytest.mark.parametrize("name", ["Microtubules", "Microtubule ends"])
def test_microtubule_classes_lie_on_microtubules(cells, name):
    on_filaments = cv2.dilate((cells.microtubules > 0.1).astype(np.uint8), np.ones((3, 3))) > 0
    assert _share(_pattern(cells, name), on_filaments) > 0.85


def test_microtubule_ends_lie_farther_out_than_microtubules(cells):
    middle, end = (_pattern(cells, name) * (cells.body > 0.5) for name in ("Microtubules", "Microtubule ends"))
    assert np.average(cells.from_nucleus, weights=end) > np.average(cells.from_nucleus, weights=middle)


def test_intermediate_filaments_cage_the_nucleus(cells):
    picture = _pattern(cells, "Intermediate filaments")
    near, far = (cells.cytoplasm > 0.9) & (cells.from_nucleus < 3), (cells.cytoplasm > 0.9) & (cells.from_nucleus > 8)
    assert picture[near].mean() > 2 * picture[far].mean()


def test_actin_crosses_nuclei_and_lines_the_cortex(cells):
    picture = _pattern(cells, "Actin filaments")
    assert _share(picture, _distance_to(cells.body > 0.5) < 1) > 0.97
    assert picture[_interphase_nuclei(cells)].mean() > 0.3 * picture[cells.cytoplasm > 0.9].mean()
    assert picture[(cells.depth > 0) & (cells.depth < 0.8)].mean() > picture[cells.depth > 3].mean()


def test_focal_adhesions_lie_near_the_border_on_actin(cells):
    picture = _pattern(cells, "Focal adhesion sites")
    assert _share(picture, cells.depth < 5.5) > 0.85
    actin = cv2.dilate((_pattern(cells, "Actin filaments") > 0.15).astype(np.uint8), np.ones((3, 3))) > 0
    assert _share(picture, actin) > 0.8


def test_bridge_joins_sisters_and_spindle_fills_metaphase_only(cells):
    scene = cells.scene
    assert (scene.phase == METAPHASE).sum() == 2
    assert (scene.phase == CYTOKINESIS).sum() == 4
    assert _share(_pattern(cells, "Cytokinetic bridge"), _near_points(scene.bend(scene.bridges[0]), 6.5)) > 0.97
    metaphase = np.flatnonzero(scene.phase == METAPHASE)
    spindle = _pattern(cells, "Mitotic spindle")
    assert _share(spindle, _near_points(scene.around(metaphase, np.zeros((2, 2))), 9.5)) > 0.97


def test_membrane_is_the_outline_and_junctions_only_where_cells_touch(cells):
    membrane = _pattern(cells, "Plasma membrane")
    edge = cells.canvas().lines(cells.body_outlines, 1.0, closed=True).picture() > 0.3
    assert membrane[edge].mean() > 2 * membrane[(cells.depth > 3)].mean()
    junctions = _pattern(cells, "Cell junctions")
    assert _share(junctions, _distance_to(edge) < 1) > 0.95
    gaps = []
    for number, outline in enumerate(cells.body_outlines):
        others = np.delete(cells.body_outlines, number, axis=0).reshape(-1, 2)
        gaps.append(np.linalg.norm(outline[:, None] - others, axis=-1).min(1))
    touching = np.array(gaps)[cells.scene.touching]
    assert np.median(touching) < 1.2 < np.median(np.array(gaps)[~cells.scene.touching])


def test_mitochondria_are_longer_than_wide():
    scene = make_scene(np.random.default_rng(4), (0, 0))
    cells = Compartments(scene, (1024, 1024), FIELD / 1024, (4,))
    contours, _ = cv2.findContours(
        (_pattern(cells, "Mitochondria") > 0.25).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    sides = np.array([sorted(cv2.minAreaRect(contour)[1]) for contour in contours if len(contour) > 15])
    assert np.median(sides[:, 1] / np.maximum(sides[:, 0], 1)) > 1.8


def test_cytosol_fills_the_cytoplasm_evenly_but_for_the_edge(cells):
    picture = _pattern(cells, "Cytosol")
    inner = (cells.cytoplasm > 0.95) & (cells.depth > 3)
    assert picture[inner].std() < 0.6 * picture[inner].mean()
    assert picture[inner].mean() > picture[(cells.cytoplasm > 0.5) & (cells.depth < 1)].mean()


def test_rods_and_rings_are_long_and_few(cells):
    count, _, boxes, _ = cv2.connectedComponentsWithStats((_pattern(cells, "Rods & rings") > 0.3).astype(np.uint8))
    lengths = np.hypot(boxes[1:, cv2.CC_STAT_WIDTH], boxes[1:, cv2.CC_STAT_HEIGHT]) * _PIXEL
    assert np.median(lengths) > 2.5
    assert count - 1 < 5 * len(cells.interphase)
