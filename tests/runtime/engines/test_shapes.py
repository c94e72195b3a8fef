import threading

from retinagan.runtime.engines.shapes import MOST, OUT_OF_USE, CompiledShapes


def square(side: int, count: int = 1) -> tuple[int, int, int, int]:
    return (count, 3, side, side)


class Compiler:
    """Counts what was compiled; a compiled model is its shape's name."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int, int] | None] = []

    def __call__(self, shape):
        self.calls.append(shape)
        return f"for {shape}"


def test_few_shapes_are_compiled_and_all_others_share_one_model():
    compiler = Compiler()
    shapes = CompiledShapes(compiler, square(96))
    sides = [96, 128, *range(160, 800, 32)] * 3
    given = [shapes.compiled_for(square(side)) for side in sides]
    assert compiler.calls == [square(96), square(128), None]
    for side, compiled in zip(sides, given, strict=True):
        assert compiled == f"for {square(side) if side in (96, 128) else None}"
    assert MOST == 2


def test_a_shape_out_of_use_makes_room():
    compiler = Compiler()
    shapes = CompiledShapes(compiler, square(96))
    for _ in range(OUT_OF_USE):
        shapes.compiled_for(square(128))
    assert shapes.compiled_for(square(160)) == f"for {square(160)}"
    assert shapes.compiled_for(square(96)) == "for None", "the two others were in use since"
    assert compiler.calls == [square(96), square(128), square(160), None]


def test_cameras_in_turn_do_not_compile_again_and_again():
    compiler = Compiler()
    shapes = CompiledShapes(compiler, square(96))
    for _ in range(2 * OUT_OF_USE):
        for side in (96, 128, 160, 192):
            shapes.compiled_for(square(side))
    assert len(compiler.calls) == 3


def test_patches_in_varying_numbers_are_run_by_the_model_for_any_shape():
    compiler = Compiler()
    shapes = CompiledShapes(compiler, None)
    assert {shapes.compiled_for(square(64, count)) for count in (1, 2, 3, 1)} == {"for None"}
    assert compiler.calls == [None]
    whole = CompiledShapes(compiler, square(96))
    assert whole.compiled_for(square(96, 2)) == "for None", "several squares at once come from no frame"


def test_threads_do_not_compile_one_shape_twice():
    compiler = Compiler()
    shapes = CompiledShapes(compiler, square(96))
    threads = [threading.Thread(target=shapes.compiled_for, args=[square(128)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiler.calls == [square(96), square(128)]
