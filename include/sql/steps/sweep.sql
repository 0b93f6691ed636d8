-- Sweep: a failure at t counts in (t - W, t], so it is +1 at t and -1 at t + W. Where both fall on one moment the -1
-- comes first, as the window is open at its old end. So the running sum is the exact count in the window at each
-- moment. A distinct count slides by the same sweep: a failure leaves at the earlier of W later and the group's next
-- failure with the same value, which takes its place.
{%- set leaves_at = "occurred_at + " ~ window -%}
{%- if evaluation.counted_column -%}
    {%- set leaves_at = "LEAST(" ~ leaves_at ~ ", COALESCE(replaced_at, " ~ leaves_at ~ "))" -%}
{%- endif %}
steps AS (
    SELECT {{ group() }}, suspect, stepped_at, step, leaves_at
    FROM (
        SELECT
            leaving.*,
            CASE WHEN both_ways.step = 1 THEN occurred_at ELSE leaves_at END AS stepped_at,
            both_ways.step
        FROM (
            SELECT {{ group("failures.") }}, suspect, occurred_at, {{ leaves_at }} AS leaves_at
            FROM failures
        ) AS leaving
        CROSS JOIN (SELECT 1 AS step UNION ALL SELECT -1 AS step) AS both_ways
    ) AS merged
    WHERE stepped_at < {{ end }}
),

counts AS (
    SELECT
        {{ group() }},
        suspect,
        stepped_at,
        step,
        CASE WHEN stepped_at <= {{ start }} AND leaves_at > {{ start }} THEN 1 ELSE 0 END AS at_start,
        -- The part of the interval that the step is in. 0 is the window before it.
        CASE
            {%- for part in parts | reverse %}
            WHEN stepped_at >= {{ moment(edges[part - 1]) }} THEN {{ part }}
            {%- endfor %}
            WHEN stepped_at >= {{ window_before }} THEN 0
        END AS part,
        SUM(step) OVER (PARTITION BY suspect ORDER BY stepped_at, step ROWS UNBOUNDED PRECEDING) AS in_window
    FROM steps
)
