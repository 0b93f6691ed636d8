-- What each group reached: one row for each threshold in force at which it has a breach point in the interval or in the
-- window before it. Only failures are breach points, so the -1 steps matter for the running sum alone. At the interval's
-- start the count is the sum of all steps up to there.
reached AS (
    SELECT
        {{ group() }},
        threshold,
        SUM(failed_here) AS failures,
        COALESCE(MAX(CASE WHEN failed_here = 1 THEN in_window END), 0) AS most_at_failure,
        COALESCE(MAX(CASE WHEN failed_before = 1 THEN in_window END), 0) AS most_before,
        SUM(CASE WHEN stepped_at <= {{ start }} THEN step ELSE 0 END) AS at_start,
        {%- for part in parts %}
        SUM(
            CASE
                WHEN failed_here = 1 AND stepped_at >= {{ moment(edges[part - 1]) }} AND stepped_at < {{ moment(edges[part]) }}
                    THEN 1
                ELSE 0
            END
        ) AS part_{{ part }},
        {%- endfor %}
        MIN(CASE WHEN failed_here = 1 THEN stepped_at END) AS first_failure_at,
        MAX(CASE WHEN failed_here = 1 THEN stepped_at END) AS last_failure_at,
        MIN(CASE WHEN failed_here = 1 AND in_window >= threshold THEN stepped_at END) AS first_breach_at,
        MAX(CASE WHEN failed_here + failed_before = 1 AND in_window >= threshold THEN stepped_at END) AS last_breach_at,
        MAX(CASE WHEN failed_before = 1 AND in_window >= threshold THEN stepped_at END) AS breach_before_at
    FROM (
        SELECT
            counts.*,
            in_force.threshold,
            CASE WHEN step = 1 AND stepped_at >= {{ start }} THEN 1 ELSE 0 END AS failed_here,
            CASE
                WHEN step = 1 AND stepped_at >= {{ window_before }} AND stepped_at < {{ start }} THEN 1 ELSE 0
            END AS failed_before
        FROM counts
        CROSS JOIN (
            {%- for threshold in evaluation.thresholds %}
            SELECT {{ threshold }} AS threshold {{- " UNION ALL" if not loop.last }}
            {%- endfor %}
        ) AS in_force
    ) AS at_each_threshold
    GROUP BY {{ group() }}, threshold
    HAVING MAX(CASE WHEN failed_here + failed_before = 1 THEN in_window END) >= threshold
)
