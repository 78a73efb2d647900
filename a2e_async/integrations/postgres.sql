CREATE TABLE a2e_layout(version integer NOT NULL, salt bytea NOT NULL);
CREATE TABLE a2e_batches(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, name text NOT NULL, account bytea NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp(), holder text NOT NULL DEFAULT '',
    max_coins numeric, spent numeric NOT NULL DEFAULT 0, UNIQUE(kind, name));
CREATE TABLE a2e_jobs(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, batch bigint NOT NULL REFERENCES a2e_batches, key text NOT NULL,
    digest bytea NOT NULL, request bytea NOT NULL, phase text NOT NULL, tag text UNIQUE, anchor text,
    task_id text NOT NULL DEFAULT '', price float8 NOT NULL DEFAULT 0, coins float8,
    intended timestamptz NOT NULL DEFAULT clock_timestamp(), doubted timestamptz, ended timestamptz,
    record bytea, failure bytea, path text, twins text NOT NULL DEFAULT '', lost float8 NOT NULL DEFAULT 0,
    fence text NOT NULL DEFAULT gen_random_uuid(), reason text NOT NULL DEFAULT '', state text NOT NULL DEFAULT '',
    UNIQUE(batch, key));
CREATE INDEX a2e_jobs_open ON a2e_jobs(batch, id) WHERE phase IN ('new', 'sending', 'sent');
CREATE INDEX a2e_jobs_sending ON a2e_jobs(batch) WHERE phase = 'sending';
CREATE INDEX a2e_jobs_dead ON a2e_jobs(batch, id) WHERE phase IN ('failed', 'uncertain') OR reason <> '';

CREATE TABLE a2e_rates(name text PRIMARY KEY, free timestamptz NOT NULL);
CREATE TABLE a2e_brakes(account bytea PRIMARY KEY, until timestamptz NOT NULL);

CREATE FUNCTION a2e_coins(job a2e_jobs) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT job.lost::numeric + CASE job.phase WHEN 'new' THEN 0 WHEN 'failed' THEN coalesce(job.coins, 0)
        ELSE coalesce(job.coins, job.price) END::numeric $$;

CREATE FUNCTION a2e_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE more numeric := a2e_coins(NEW) - CASE TG_OP WHEN 'UPDATE' THEN a2e_coins(OLD) ELSE 0 END;
BEGIN
    IF more <> 0 THEN
        UPDATE a2e_batches SET spent = spent + more WHERE id = NEW.batch;
    END IF;
    IF NEW.phase IN ('sent', 'done', 'failed', 'uncertain') AND (TG_OP = 'INSERT' OR NEW.phase <> OLD.phase) THEN
        PERFORM pg_notify(
            'a2e_jobs', json_build_object('batch', NEW.batch, 'job', NEW.id, 'phase', NEW.phase)::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER a2e_moved AFTER INSERT OR UPDATE OF phase, coins, price, lost ON a2e_jobs
    FOR EACH ROW EXECUTE FUNCTION a2e_moved();

-- Whoever follows a job knows its batch and its key, not its number, which it may not have yet.
CREATE FUNCTION a2e_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('a2e_changes', json_build_array(NEW.batch, encode(sha256(convert_to(NEW.key, 'UTF8')), 'hex'))::text);
    RETURN NULL;
END $$;
CREATE TRIGGER a2e_changed AFTER UPDATE OF phase, state ON a2e_jobs FOR EACH ROW
    WHEN (NEW.state <> OLD.state OR (NEW.phase <> OLD.phase AND NEW.phase IN ('sent', 'done', 'failed', 'uncertain')))
    EXECUTE FUNCTION a2e_changed();

-- Returns the job's number; else NULL, and where it is coins that keep it back, how many are spent and how many
-- submissions have no answer yet. Those count twice, as `Budget` has it; where one has no price, it goes alone.
CREATE FUNCTION a2e_intend(
    _batch bigint, _key text, _digest bytea, _request bytea, _tag text, _price float8, _anchor text, _old text,
    _new text, OUT number bigint, OUT most numeric, OUT gone numeric, OUT open bigint
) LANGUAGE plpgsql AS $$
DECLARE reserved numeric; blind boolean; fits boolean;
BEGIN
    SELECT id INTO number FROM a2e_jobs WHERE batch = _batch AND key = _key AND fence = _new;
    IF number IS NOT NULL THEN RETURN; END IF;
    SELECT max_coins INTO most FROM a2e_batches WHERE id = _batch;
    IF most IS NOT NULL THEN
        SELECT max_coins, spent INTO most, gone FROM a2e_batches WHERE id = _batch FOR UPDATE;
        SELECT count(*), coalesce(sum(price), 0)::numeric, coalesce(bool_or(price = 0), false)
            INTO open, reserved, blind FROM a2e_jobs
            WHERE batch = _batch AND phase = 'sending' AND doubted IS NULL
                AND intended > clock_timestamp() - interval '2 minutes';
        fits := CASE WHEN open = 0 THEN gone + _price::numeric <= most AND gone < most
            ELSE _price > 0 AND NOT blind AND gone + reserved + 2 * _price::numeric <= most END;
        IF NOT fits THEN RETURN; END IF;
    END IF;
    INSERT INTO a2e_jobs AS j(batch, key, digest, request, phase, tag, price, anchor, fence)
        VALUES (_batch, _key, _digest, _request, 'sending', _tag, _price, _anchor, _new)
        ON CONFLICT(batch, key) DO UPDATE SET digest = _digest, request = _request, phase = 'sending', tag = _tag,
            price = _price, anchor = _anchor, fence = _new, intended = clock_timestamp(), task_id = '', coins = NULL,
            doubted = NULL, ended = NULL, record = NULL, failure = NULL, path = NULL, reason = '', state = '',
            lost = j.lost + CASE j.phase WHEN 'uncertain' THEN j.price ELSE 0 END
        WHERE j.fence = _old AND j.phase IN ('new', 'failed', 'uncertain')
        RETURNING id INTO number;
    most := NULL;
END $$;
