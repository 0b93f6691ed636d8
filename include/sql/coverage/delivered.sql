-- What the scanned days show. A role that can read the files sees everybody's events, so shows_others is always 1.
-- A file holds events of its day and the day before. A line of any other time counts as unreadable: a line break in a
-- name may have forged it. A forged line of the same days cannot be told from a real one.
{%- if fleet %}
-- A row for each warehouse, and one for all of them, which comes even where there is no event. The candidates join the
-- latter.
{%- endif %}
coverage AS (
    SELECT
        {{ "GROUPING(warehouse)" if fleet else "1" }} AS always,
        {{ "warehouse," if fleet }}
        MIN(occurred_at) AS oldest_event_at,
        MAX(occurred_at) AS newest_event_at,
        CAST(COALESCE(SUM(CASE
            WHEN event = 'authentication failure' AND occurred_at >= {{ start }} AND occurred_at < {{ end }} THEN 1
            ELSE 0
        END), 0) AS INTEGER) AS all_failures,
        1 AS shows_others,
        CAST(COUNT(*) - COUNT(occurred_at) AS INTEGER) AS unreadable_lines
    FROM (
        SELECT
            {{ warehouse ~ " AS warehouse," if fleet }}
            event,
            CASE
                WHEN occurred_at < {{ moment(evaluation.dated[0]) }} THEN NULL
                WHEN occurred_at < {{ moment(evaluation.dated[1]) }} THEN occurred_at
            END AS occurred_at
        FROM {{ log() }}
    ) AS dated
    {{ "GROUP BY GROUPING SETS ((), (warehouse))" if fleet }}
)
