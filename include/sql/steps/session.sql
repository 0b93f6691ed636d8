-- Who this very session is, as the log writes it. Its sign-in is the newest of its process, as numbers of processes
-- recur, and comes after the interval, however long ago that was. Until the log shows it, the newest may be another
-- user's: then there is no row, and nobody is "own".
this_session AS (
    SELECT newest.user_name, newest.remote_host
    FROM (
        SELECT
            login_name AS user_name,
            {{ login_host }} AS remote_host,
            ROW_NUMBER() OVER (ORDER BY occurred_at DESC) AS place
        FROM events
        WHERE event = 'authenticated' AND session_id = PG_BACKEND_PID()
    ) AS newest
    WHERE newest.place = 1 AND ({{ is_current_user("newest.user_name") }})
)
