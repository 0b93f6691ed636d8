-- What each group reached: one row for each threshold in force at which it has a breach point in the interval or in the
-- window before it. Only failures are breach points, so the -1 steps matter for the running sum alone.
reached AS (
    SELECT
        {%- for name in groups %}
        MAX(group_{{ name }}) AS group_{{ name }},
        {%- endfor %}
        threshold,
        SUM(CASE WHEN part > 0 THEN 1 ELSE 0 END) AS failures,
        COALESCE(MAX(CASE WHEN part > 0 THEN in_window END), 0) AS most_at_failure,
        COALESCE(MAX(CASE WHEN part = 0 THEN in_window END), 0) AS most_before,
        SUM(at_start) AS at_start,
        {%- for part in parts %}
        SUM(CASE WHEN part = {{ part }} THEN 1 ELSE 0 END) AS part_{{ part }},
        {%- endfor %}
        MIN(CASE WHEN part > 0 THEN stepped_at END) AS first_failure_at,
        MAX(CASE WHEN part > 0 THEN stepped_at END) AS last_failure_at,
        MIN(CASE WHEN part > 0 AND in_window >= threshold THEN stepped_at END) AS first_breach_at,
        MAX(CASE WHEN in_window >= threshold THEN stepped_at END) AS last_breach_at,
        MAX(CASE WHEN part = 0 AND in_window >= threshold THEN stepped_at END) AS breach_before_at
    FROM counts
    CROSS JOIN (
        {%- for threshold in evaluation.thresholds %}
        SELECT {{ threshold }} AS threshold {{- " UNION ALL" if not loop.last }}
        {%- endfor %}
    ) AS in_force
    WHERE step = 1 AND part IS NOT NULL
    GROUP BY suspect, threshold
    HAVING MAX(in_window) >= threshold
)
