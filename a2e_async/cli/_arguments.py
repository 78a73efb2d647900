"""What the commands take, each as a function of its parser."""

from argparse import ArgumentParser

from a2e_async.cli import _options as options


def demo(arg: ArgumentParser) -> None:
    """`a2e demo`."""
    arg.add_argument("--jobs", type=options.count, default=24, metavar="N", help="swaps to make (%(default)s)")
    arg.add_argument("--out", default="a2e-demo", metavar="DIR", help="where results go (%(default)s)")
    options.as_json(arg)


def swap(arg: ArgumentParser) -> None:
    """`a2e swap`."""
    arg.add_argument("face", metavar="FACE", help="picture of a face: URL or local file")
    arg.add_argument("video", metavar="VIDEO", help="video or picture to put it into: URL or local file")
    options.result(arg)
    arg.add_argument("--name", help="label of the task (the video's file name)")


def dub(arg: ArgumentParser) -> None:
    """`a2e dub`."""
    arg.add_argument("source", metavar="SOURCE", help="video or recording: URL or local file")
    arg.add_argument("--to", required=True, metavar="LANG", help="language to speak, such as fr")
    arg.add_argument("--from", dest="from_", default="auto", metavar="LANG", help="language spoken (%(default)s)")
    arg.add_argument("--speakers", type=options.count, default=1, metavar="N", help="people speaking (%(default)s)")
    options.result(arg)


def animate(arg: ArgumentParser) -> None:
    """`a2e animate`."""
    arg.add_argument("image", metavar="IMAGE", help="picture to bring to life: URL or local file")
    arg.add_argument("--prompt", metavar="P", help="what is to happen in it")
    arg.add_argument(
        "--seconds", type=int, choices=(5, 10, 15, 20), default=5, help="length of the video (%(default)s)"
    )
    options.result(arg)


def uncaption(arg: ArgumentParser) -> None:
    """`a2e uncaption`."""
    arg.add_argument("video", metavar="VIDEO", help="video with captions burnt in: URL or local file")
    options.result(arg)


def say(arg: ArgumentParser) -> None:
    """`a2e say`."""
    options.speech(arg)
    arg.add_argument("--rate", type=options.amount, default=1.0, metavar="R", help="speed, 0.5 to 2 (%(default)g)")
    options.out(arg)
    options.deadline(arg)
    options.as_json(arg)


def avatar_create(arg: ArgumentParser) -> None:
    """`a2e avatar create`."""
    arg.add_argument("source", metavar="VIDEO_OR_IMAGE", help="of one person who agrees: URL or local file")
    arg.add_argument("--name", required=True, metavar="N", help="name of the avatar")
    arg.add_argument("--gender", required=True, choices=("female", "male"), help="gender of the avatar")
    options.waiting(arg)


def avatar_say(arg: ArgumentParser) -> None:
    """`a2e avatar say`."""
    options.speech(arg)
    arg.add_argument("--anchor", required=True, metavar="ID", help="anchor id of the avatar")
    arg.add_argument("--own", action="store_true", help="the avatar is one of your own")
    options.result(arg)


def batch(arg: ArgumentParser) -> None:
    """`a2e batch`."""
    arg.add_argument("jobs", metavar="JOBS", help=".csv or .jsonl of the start's fields, and key")
    arg.add_argument("--kind", default="face_swap", metavar="KIND", help="kind of task (%(default)s)")
    arg.add_argument("--journal", metavar="FILE", help="pay for no job twice, whatever dies: run it again to go on")
    arg.add_argument("--name", default="", metavar="NAME", help="tells batches in one journal apart")
    arg.add_argument(
        "--retry",
        action="append",
        default=[],
        choices=("failed", "uncertain"),
        help="pay anew for jobs that the journal has as such; repeatable",
    )
    options.batch(arg)


def batch_resume(arg: ArgumentParser) -> None:
    """`a2e batch resume`."""
    _journal(arg)
    arg.add_argument("--kind", metavar="KIND", help="kind of task, if the journal holds several batches")
    arg.add_argument("--name", metavar="NAME", help="name of the batch, if the journal holds several")
    options.batch(arg)


def batch_status(arg: ArgumentParser) -> None:
    """`a2e batch status`."""
    _journal(arg)
    options.as_json(arg)


def batch_export(arg: ArgumentParser) -> None:
    """`a2e batch export`."""
    _journal(arg)
    form = arg.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", dest="as_json", help="write JSON lines to stdout")
    form.add_argument("--csv", action="store_false", dest="as_json", help="write CSV to stdout (the default)")


def _journal(arg: ArgumentParser) -> None:
    arg.add_argument("journal", metavar="FILE", help="journal of one or more batches")


def watch(arg: ArgumentParser) -> None:
    """`a2e watch`."""
    arg.add_argument("kind", metavar="KIND", help="kind of task, such as face_swap")
    arg.add_argument("ids", nargs="+", metavar="ID", help="id of a task")
    options.as_json(arg)


def call(arg: ArgumentParser) -> None:
    """`a2e call`."""
    arg.add_argument("target", metavar="GROUP.NAME", help="endpoint, such as face_swap.tasks.detail")
    arg.add_argument(
        "fields",
        nargs="*",
        metavar="key=value",
        help="field of its request; objects and lists in JSON, or a key repeated for a list",
    )
    options.as_json(arg)


def endpoints(arg: ArgumentParser) -> None:
    """`a2e endpoints`."""
    form = arg.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", dest="as_json", help="write JSON to stdout")
    form.add_argument("--openapi", action="store_true", help="write the OpenAPI document that the sandbox serves")


def sandbox(arg: ArgumentParser) -> None:
    """`a2e sandbox`."""
    arg.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    arg.add_argument("--port", type=options.port, default=8723, help="port to listen on, 0 for any (%(default)s)")
    arg.add_argument("--db", metavar="FILE", help="keep all in FILE and FILE.files (else in memory)")
    arg.add_argument("--clock", default="real", help="real, scaled:20, stepped or per-poll:5 (%(default)s)")
    arg.add_argument("--coins", type=options.amount, default=1000.0, help="what a new account holds (%(default)g)")
    arg.add_argument(
        "--fault", action="append", default=[], dest="faults", metavar="RULE",
        help="what goes wrong, such as reset_after:share=0.01,path=*/add, or that in JSON; repeatable",
    )  # fmt: skip
    arg.add_argument("--storm", type=float, metavar="SHARE", help="everything goes wrong, such as 0.01 of each")
    arg.add_argument("--strict", action="store_true", help="refuse fields that the contract does not know")
    arg.add_argument("--fetch", choices=("loopback", "any"), default="loopback", help="where inputs may come from")
    arg.add_argument("--allow-remote", action="store_true", help="allow a --host that other machines can reach")


def sandbox_doctor(arg: ArgumentParser) -> None:
    """`a2e sandbox doctor`."""
    arg.add_argument("files", nargs="+", metavar="FILE", help="HAR as browsers export it, or JSON of single answers")
    options.as_json(arg)


def status(arg: ArgumentParser) -> None:
    """`a2e status`."""
    options.dsn(arg)
    options.as_json(arg)


def migrate(arg: ArgumentParser) -> None:
    """`a2e migrate`."""
    options.dsn(arg)
    options.as_json(arg)


def submit(arg: ArgumentParser) -> None:
    """`a2e submit`."""
    arg.add_argument("kind", metavar="KIND", help="kind of task, such as face_swap")
    arg.add_argument("jobs", metavar="FILE", help=".csv, .jsonl or .ndjson whose columns are the fields, and key")
    options.dsn(arg)
    arg.add_argument("--name", default="", metavar="NAME", help="name of the batch, if there are several of a kind")
    arg.add_argument("--max-coins", type=options.amount, metavar="N", help="coins that all workers may spend on it")
    arg.add_argument("--rekey", action="store_true", help="the batch's account is the same with a new key")


def worker(arg: ArgumentParser) -> None:
    """`a2e worker`."""
    options.dsn(arg)
    arg.add_argument(
        "--concurrency", type=options.count, default=100, metavar="N", help="jobs taken up at once (%(default)s)"
    )


def dead(arg: ArgumentParser) -> None:
    """`a2e dead`."""
    options.dsn(arg)
    options.as_json(arg)


def dead_retry(arg: ArgumentParser) -> None:
    """`a2e dead retry`."""
    arg.add_argument("keys", nargs="*", metavar="KEY", help="key of a job, as `a2e dead` shows it")
    arg.add_argument("--unsent", action="store_true", help="all that were never sent, for want of coins for example")
    _of_batch(arg)


def dead_adopt(arg: ArgumentParser) -> None:
    """`a2e dead adopt`."""
    arg.add_argument("key", metavar="KEY", help="key of the job, as `a2e dead` shows it")
    arg.add_argument("task_id", metavar="TASK_ID", help="the task that it became, from the service's records")
    _of_batch(arg)


def _of_batch(arg: ArgumentParser) -> None:
    arg.add_argument("--kind", default="face_swap", metavar="KIND", help="kind of the batch (%(default)s)")
    arg.add_argument("--name", default="", metavar="NAME", help="name of the batch")
    options.dsn(arg)
