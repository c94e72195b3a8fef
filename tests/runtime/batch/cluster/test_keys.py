from retinagan.runtime.batch.cluster.keys import block_of, can_travel, images_in_a_block, tables_of
from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job


def test_jobs_come_back_from_their_tables():
    jobs = [
        Job(Input("/scans/a.png", "a.png"), "a"),
        Job(Input("s3://b/c d.tif", "c d.tif#2", 2, ("100", "5.5")), "c d_frame2"),
        Job(Input("s3://b/é.png", "é.png", None, ("", "")), "é"),
    ]
    tables = list(tables_of(jobs, 2, "part-{}".format, lambda job: {f"{job.output}_vessels.png": 7}))
    first, second = map(block_of, tables)
    assert first.jobs + second.jobs == jobs
    assert (first.part, second.part) == ("part-0", "part-1")
    assert second.present == {"é_vessels.png": 7}


def test_blocks_keep_all_workers_busy_and_are_small_enough_to_lose():
    assert [images_in_a_block(jobs, 4) for jobs in (1, 17, 100, 1_000, 10_000)] == [1, 5, 16, 32, 64]


def test_names_that_are_no_text_cannot_travel():
    assert can_travel(Job(Input("é", "é"), "é"))
    assert not can_travel(Job(Input("\udcff", "\udcff"), "\udcff"))
