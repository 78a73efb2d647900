"""Everything that can go wrong, a little of each."""

from a2e_async.sandbox.faults.rule import Rule


def storm(share: float) -> list[Rule]:
    """Return rules for every effect but `coins_out`, which would end it all; each strikes that share of its hits.

    Some 26 of them can strike any request to the API: of a share of 0.01 comes more than one in five.
    """
    return [
        Rule("delay", seconds=0.2, share=share),
        Rule("delay", seconds=0.05, longest=1, share=share),
        Rule("delay", seconds=0.05, longest=30, tail=True, share=share),
        Rule("reset_before", share=share),
        Rule("reset_after", share=share),
        Rule("status", status=429, retry_after=1, share=share),
        Rule("status", status=429, retry_after=1, http_date=True, share=share),
        *(Rule("status", status=status, share=share) for status in (500, 502, 503, 504)),
        Rule("status", status=503, retry_after=1, share=share),
        Rule("status", status=504, after=True, share=share),
        Rule("html", share=share),
        Rule("html", after=True, share=share),
        Rule("redirect", share=share),
        Rule("expired", share=share),
        Rule("truncated", share=share),
        Rule("dribble", share=share),
        Rule("wrong_length", share=share),
        Rule("wrong_length", off=8, share=share),
        Rule("endless", share=share),
        Rule("content_type", share=share),
        Rule("invalid_json", share=share),
        Rule("invalid_utf8", share=share),
        Rule("gzip_bomb", share=share),
        Rule("corrupt", share=share),
        Rule("short", share=share),
        Rule("word", share=share),
        Rule("backwards", share=share),
        Rule("missing", share=share),
        Rule("duplicate", share=share),
        Rule("clock_skew", share=share),
        Rule("webhook_lost", share=share),
        Rule("webhook_doubled", share=share),
        Rule("webhook_late", seconds=1, share=share),
        Rule("webhook_forged", share=share),
    ]
