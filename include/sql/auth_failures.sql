{#-
  Measures authentication failures over one interval [start, end) and says what the log shows of it.

  Returns one row per group whose count reached a threshold in force, the worst first, beside the true totals and the
  coverage; with no such group, one row that holds the coverage alone. Where groups have thresholds of their own, a
  group has a row for each one that it reached. Runs on Redshift, PostgreSQL and Athena, which writes intervals otherwise
  and reads the log anew for each name of a CTE: so no part names another twice where once does.

  Why it is exact: a failure at t counts in (t - W, t], so it is +1 at t and -1 at t + W. Over the merged steps, with
  the -1 first where both fall on one moment, the running sum is the number of failures in the window at that moment.
  A count of distinct values slides with the same sweep: a failure leaves the window at the earlier of W later and the
  group's next failure with the same value, which takes its place.
  Steps are scanned from start - 2W, because a count at start - W, which tells new from ongoing, looks back one W more.

  A group that breached in [start - W, start) and not since has a row where it got in only now, and where it is over: its
  last breach point has left the window within the interval. That is so in exactly one interval. Such a row is closing,
  as is that of an ongoing breach that would be held back.
-#}
{%- set run = evaluation() -%}
{%- set groups = run.settings.group_by -%}
{%- set floor = run.thresholds | min -%}
{%- set source = 'sql/sources/' ~ run.settings.source ~ '.sql' -%}
{%- set coverage = 'sql/coverage/' ~ ('delivered' if run.source.delivered else 'live') ~ '.sql' -%}
{%- macro log() -%} ({% include source %}) AS connection_log {%- endmacro -%}
{%- macro moment(value) -%} TIMESTAMP '{{ value.strftime("%Y-%m-%d %H:%M:%S.%f") }}' {%- endmacro -%}
{%- macro columns(of) -%} {% for name in groups %}{{ of }}.{{ name }} AS group_{{ name }}, {% endfor %} {%- endmacro -%}
{%- macro group(of) -%} {% for name in groups %}{{ of }}group_{{ name }}{{ ", " if not loop.last }}{% endfor %} {%- endmacro -%}
{%- macro same_group(a, b) -%}
    {% for name in groups %}{{ a }}.group_{{ name }} = {{ b }}.group_{{ name }}{{ " AND " if not loop.last }}{% endfor %}
{%- endmacro -%}
{%- set start, end = moment(run.interval.start), moment(run.interval.end) -%}
{%- set parts = range(1, run.part_edges | length) -%}
{%- set before = moment(run.interval.start - run.window) -%}
{%- set over_from = moment(run.interval.end - run.window) -%}
{%- set window = ("INTERVAL '{}' MINUTE" if run.source.delivered else "INTERVAL '{} minutes'").format(run.settings.window_minutes) -%}
{#- When a failure leaves the window: the one place where a count of failures and one of distinct values differ. -#}
{%- set leaves_at = "occurred_at + " ~ window -%}
{%- if run.counted_column -%}
    {%- set leaves_at = "LEAST(" ~ leaves_at ~ ", COALESCE(replaced_at, " ~ leaves_at ~ "))" -%}
{%- endif -%}

WITH events AS (
    SELECT
        {{ columns("normalised") }}
        event,
        occurred_at,
        {{ run.counted_column ~ " AS counted," if run.counted_column }}
        user_name AS login_name
    FROM (
        -- IPv4-mapped addresses (::ffff:10.0.0.1) count as the IPv4 address that they are.
        SELECT
            event,
            occurred_at,
            CASE
                WHEN LOWER(SUBSTRING(remote_address, 1, 7)) = '::ffff:' AND POSITION('.' IN remote_address) > 0
                    THEN SUBSTRING(remote_address, 8)
                ELSE remote_address
            END AS remote_host,
            user_name,
            database_name
        FROM {{ log() }}
        WHERE occurred_at >= {{ moment(run.scan_start) }} AND occurred_at < {{ end }}
    ) AS normalised
),

-- Prune: only a group with this many failures in the scanned range can reach the threshold.
suspects AS (
    SELECT {{ group("") }}
    FROM events
    WHERE event = 'authentication failure'
    GROUP BY {{ group("") }}
    HAVING COUNT(*) >= {{ floor }}
),

failures AS (
    SELECT
        {{ group("events.") }},
        events.occurred_at,
        {%- if run.counted_column %}
        LEAD(events.occurred_at) OVER (
            PARTITION BY {{ group("events.") }}, events.counted ORDER BY events.occurred_at
        ) AS replaced_at,
        {%- endif %}
        events.login_name
    FROM events
    INNER JOIN suspects ON {{ same_group("events", "suspects") }}
    WHERE events.event = 'authentication failure'
),

-- Sweep: a step up when a failure happens, a step down when it leaves the window.
steps AS (
    SELECT {{ group("") }}, stepped_at, step
    FROM (
        SELECT
            {{ group("failures.") }},
            CASE WHEN both_ways.step = 1 THEN failures.occurred_at ELSE {{ leaves_at }} END AS stepped_at,
            both_ways.step
        FROM failures
        CROSS JOIN (SELECT 1 AS step UNION ALL SELECT -1 AS step) AS both_ways
    ) AS merged
    WHERE stepped_at < {{ end }}
),

counts AS (
    SELECT
        {{ group("") }},
        stepped_at,
        step,
        SUM(step) OVER (
            PARTITION BY {{ group("") }} ORDER BY stepped_at, step ROWS UNBOUNDED PRECEDING
        ) AS in_window
    FROM steps
),

measured AS (
    SELECT
        {{ group("") }},
        SUM(CASE WHEN step = 1 AND stepped_at >= {{ start }} THEN 1 ELSE 0 END) AS failures,
        COALESCE(MAX(CASE WHEN step = 1 AND stepped_at >= {{ start }} THEN in_window END), 0) AS most_at_failure,
        SUM(CASE WHEN stepped_at <= {{ start }} THEN step ELSE 0 END) AS at_start,
        MIN(CASE WHEN step = 1 AND stepped_at >= {{ start }} THEN stepped_at END) AS first_failure_at,
        MAX(CASE WHEN step = 1 AND stepped_at >= {{ start }} THEN stepped_at END) AS last_failure_at,
        {%- for threshold in run.thresholds %}
        MIN(CASE WHEN step = 1 AND stepped_at >= {{ start }} AND in_window >= {{ threshold }} THEN stepped_at END)
            AS first_breach_at_{{ threshold }},
        MAX(CASE WHEN step = 1 AND stepped_at >= {{ before }} AND in_window >= {{ threshold }} THEN stepped_at END)
            AS last_breach_at_{{ threshold }},
        MAX(
            CASE
                WHEN step = 1 AND stepped_at >= {{ before }} AND stepped_at < {{ start }} AND in_window >= {{ threshold }}
                    THEN stepped_at
            END
        ) AS breach_before_at_{{ threshold }},
        {%- endfor %}
        COALESCE(
            MAX(CASE WHEN step = 1 AND stepped_at >= {{ before }} AND stepped_at < {{ start }} THEN in_window END), 0
        ) AS most_before
    FROM counts
    GROUP BY {{ group("") }}
    HAVING MAX(CASE WHEN step = 1 AND stepped_at >= {{ before }} THEN in_window END) >= {{ floor }}
),

-- One row per group and threshold that it reached in the interval or in the window before it.
reached AS (
    SELECT *
    FROM (
        SELECT
            {{ group("measured.") }},
            in_force.threshold,
            measured.failures,
            measured.most_at_failure,
            measured.at_start,
            measured.first_failure_at,
            measured.last_failure_at,
            {%- for name in ("first_breach_at", "last_breach_at", "breach_before_at") %}
            CASE in_force.threshold
                {%- for threshold in run.thresholds %}
                WHEN {{ threshold }} THEN measured.{{ name }}_{{ threshold }}
                {%- endfor %}
            END AS {{ name }},
            {%- endfor %}
            measured.most_before
        FROM measured
        CROSS JOIN (
            {%- for threshold in run.thresholds %}
            SELECT {{ threshold }} AS threshold {{- " UNION ALL" if not loop.last }}
            {%- endfor %}
        ) AS in_force
    ) AS at_each
    WHERE last_breach_at IS NOT NULL
),

-- Who was tried: failures per login name, in the interval and its parts, and since when at all.
attempts AS (
    SELECT
        {{ group("") }},
        login_name,
        MIN(occurred_at) AS first_tried_at,
        {%- for part in parts %}
        SUM(
            CASE
                WHEN occurred_at >= {{ moment(run.part_edges[part - 1]) }}
                    AND occurred_at < {{ moment(run.part_edges[part]) }}
                    THEN 1
                ELSE 0
            END
        ) AS part_{{ part }},
        {%- endfor %}
        SUM(CASE WHEN occurred_at >= {{ start }} THEN 1 ELSE 0 END) AS failures
    FROM failures
    GROUP BY {{ group("") }}, login_name
),

tried AS (
    SELECT
        {{ group("") }},
        COUNT(*) AS users_tried,
        {%- for part in parts %}
        SUM(part_{{ part }}) AS part_{{ part }},
        {%- endfor %}
        {%- for place in range(1, 6) %}
        MAX(CASE WHEN place = {{ place }} THEN login_name END) AS user_{{ place }},
        MAX(CASE WHEN place = {{ place }} THEN failures END) AS user_{{ place }}_failures{{ "," if not loop.last }}
        {%- endfor %}
    FROM (
        SELECT
            {{ group("") }},
            login_name,
            failures,
            {%- for part in parts %}
            part_{{ part }},
            {%- endfor %}
            ROW_NUMBER() OVER (PARTITION BY {{ group("") }} ORDER BY failures DESC, login_name) AS place
        FROM attempts
        WHERE failures > 0
    ) AS by_user
    GROUP BY {{ group("") }}
),

-- Logins after a breach point of the interval or of the window before the login: the first of any user, and the first
-- as a user that the group had failed as.
logins AS (
    SELECT
        {{ group("") }},
        threshold,
        MAX(CASE WHEN place = 1 THEN occurred_at END) AS first_login_at,
        MAX(CASE WHEN place = 1 THEN login_name END) AS first_login_user,
        MAX(CASE WHEN had_failed = 1 AND place_among = 1 THEN occurred_at END) AS got_in_at,
        MAX(CASE WHEN had_failed = 1 AND place_among = 1 THEN login_name END) AS got_in_user
    FROM (
        SELECT
            {{ group("") }},
            threshold,
            occurred_at,
            login_name,
            had_failed,
            ROW_NUMBER() OVER (PARTITION BY {{ group("") }}, threshold ORDER BY occurred_at, login_name) AS place,
            ROW_NUMBER() OVER (
                PARTITION BY {{ group("") }}, threshold, had_failed ORDER BY occurred_at, login_name
            ) AS place_among
        FROM (
            SELECT
                {{ group("events.") }},
                reached.threshold,
                events.occurred_at,
                events.login_name,
                CASE WHEN attempts.first_tried_at < events.occurred_at THEN 1 ELSE 0 END AS had_failed
            FROM events
            INNER JOIN reached ON {{ same_group("events", "reached") }}
            LEFT JOIN attempts
                ON {{ same_group("events", "attempts") }} AND events.login_name = attempts.login_name
            WHERE events.event = 'authenticated'
                AND events.occurred_at >= {{ start }}
                AND (
                    events.occurred_at > reached.first_breach_at
                    OR events.occurred_at < reached.breach_before_at + {{ window }}
                )
        ) AS after_breach
    ) AS placed
    GROUP BY {{ group("") }}, threshold
),

breaching AS (
    SELECT
        {{ group("reached.") }},
        reached.threshold,
        reached.failures,
        reached.most_at_failure,
        CASE WHEN reached.at_start > reached.most_at_failure THEN reached.at_start ELSE reached.most_at_failure END
            AS peak,
        reached.most_before,
        CASE WHEN reached.breach_before_at IS NULL THEN 0 ELSE 1 END AS ongoing,
        CASE
            WHEN logins.got_in_at IS NOT NULL THEN 0
            WHEN reached.first_breach_at IS NULL THEN 1
            {%- if run.settings.notify_when_over and not run.reminder_due %}
            WHEN reached.breach_before_at IS NOT NULL AND reached.last_breach_at < {{ over_from }} THEN 1
            {%- endif %}
            ELSE 0
        END AS closing,
        reached.first_failure_at,
        reached.last_failure_at,
        reached.first_breach_at,
        reached.last_breach_at,
        logins.first_login_at,
        logins.first_login_user,
        logins.got_in_at,
        logins.got_in_user,
        CASE WHEN logins.got_in_at IS NULL THEN 1 ELSE 0 END AS kept_out
    FROM reached
    LEFT JOIN logins ON {{ same_group("reached", "logins") }} AND reached.threshold = logins.threshold
    WHERE reached.first_breach_at IS NOT NULL
        OR logins.got_in_at IS NOT NULL
        {%- if run.settings.notify_when_over %}
        OR reached.last_breach_at < {{ over_from }}
        {%- endif %}
),

-- The worst first. Where ongoing breaches are held back, many of them cannot crowd out one that is told.
ranked AS (
    SELECT
        1 AS always,
        breaching.*,
        ROW_NUMBER() OVER (
            PARTITION BY threshold, closing
            ORDER BY
                {{ "ongoing * kept_out, " if not run.reminder_due -}}
                kept_out, most_at_failure DESC, failures DESC, {{ group("") }}
        ) AS place,
        SUM((1 - closing) * (1 - ongoing)) OVER (PARTITION BY threshold) AS new_groups,
        SUM((1 - closing) * ongoing) OVER (PARTITION BY threshold) AS ongoing_groups,
        SUM(1 - kept_out) OVER (PARTITION BY threshold) AS critical_groups,
        SUM(ongoing * (1 - kept_out)) OVER (PARTITION BY threshold) AS ongoing_critical_groups,
        SUM(closing) OVER (PARTITION BY threshold) AS over_groups
    FROM breaching
),

listed AS (
    SELECT
        ranked.*,
        COALESCE(tried.users_tried, 0) AS users_tried,
        {%- for part in parts %}
        COALESCE(tried.part_{{ part }}, 0) AS part_{{ part }},
        {%- endfor %}
        {%- for place in range(1, 6) %}
        tried.user_{{ place }},
        tried.user_{{ place }}_failures{{ "," if not loop.last }}
        {%- endfor %}
    FROM ranked
    LEFT JOIN tried ON {{ same_group("ranked", "tried") }}
    WHERE ranked.place <= {{ run.max_candidates }}
),

{% include coverage %}

SELECT
    '{{ run.settings.source }}' AS source,
    coverage.oldest_event_at,
    coverage.newest_event_at,
    coverage.all_failures,
    coverage.shows_others,
    coverage.unreadable_lines,
    listed.threshold,
    listed.closing,
    CAST(COALESCE(listed.new_groups, 0) AS INTEGER) AS new_groups,
    CAST(COALESCE(listed.ongoing_groups, 0) AS INTEGER) AS ongoing_groups,
    CAST(COALESCE(listed.critical_groups, 0) AS INTEGER) AS critical_groups,
    CAST(COALESCE(listed.ongoing_critical_groups, 0) AS INTEGER) AS ongoing_critical_groups,
    CAST(COALESCE(listed.over_groups, 0) AS INTEGER) AS over_groups,
    {%- for name in groups %}
    listed.group_{{ name }} AS {{ name }},
    {%- endfor %}
    CAST(listed.failures AS INTEGER) AS failures,
    CAST(listed.most_at_failure AS INTEGER) AS most_at_failure,
    CAST(listed.peak AS INTEGER) AS peak,
    CAST(listed.most_before AS INTEGER) AS most_before,
    {%- for part in parts %}
    CAST(listed.part_{{ part }} AS INTEGER) AS part_{{ part }},
    {%- endfor %}
    listed.first_failure_at,
    listed.last_failure_at,
    listed.first_breach_at,
    listed.last_breach_at,
    listed.first_login_at,
    listed.first_login_user,
    listed.got_in_at,
    listed.got_in_user,
    CAST(listed.users_tried AS INTEGER) AS users_tried,
    {%- for place in range(1, 6) %}
    listed.user_{{ place }},
    CAST(listed.user_{{ place }}_failures AS INTEGER) AS user_{{ place }}_failures{{ "," if not loop.last }}
    {%- endfor %}
FROM coverage
LEFT JOIN listed ON coverage.always = listed.always
ORDER BY listed.closing, listed.place, listed.threshold
