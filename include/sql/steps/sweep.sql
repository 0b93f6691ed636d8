-- Sweep: a failure at t counts in (t - W, t], so it is +1 at t and -1 at t + W. Where both fall on one moment the -1 comes
-- first, as the window is open at its old end. So the running sum is the exact count in the window at each moment.
-- A distinct count slides by the same sweep: a failure leaves at the earlier of W later and the group's next failure
-- with the same value, which takes its place.
{%- set leaves_at = "occurred_at + " ~ window -%}
{%- if evaluation.counted_column -%}
    {%- set leaves_at = "LEAST(" ~ leaves_at ~ ", COALESCE(replaced_at, " ~ leaves_at ~ "))" -%}
{%- endif %}
steps AS (
    SELECT {{ group() }}, stepped_at, step
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
        {{ group() }},
        stepped_at,
        step,
        SUM(step) OVER (PARTITION BY {{ group() }} ORDER BY stepped_at, step ROWS UNBOUNDED PRECEDING) AS in_window
    FROM steps
)
