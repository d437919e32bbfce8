-- What the entries up to `placed` take, by log and author: the bytes of their texts, and 150 more for
-- each. In the row of the author -1 is what the whole log takes, and the place up to which the log has
-- been counted; a daemon that was killed may have counted some logs beyond `placed`.
CREATE TABLE stored_bytes (
    log INTEGER NOT NULL,
    author INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    upto INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (log, author)
) WITHOUT ROWID;
INSERT INTO stored_bytes (log, author, bytes)
SELECT log, author, sum(length(CAST(body AS BLOB)) + 150) FROM entries
WHERE place <= (SELECT placed FROM progress) GROUP BY log, author;
INSERT INTO stored_bytes (log, author, bytes, upto)
SELECT log, -1, sum(bytes), (SELECT placed FROM progress) FROM stored_bytes GROUP BY log;
