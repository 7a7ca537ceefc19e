"""What has changed in a workload since a reader last read it: checkpoints, cursors, ETags, and the statements for them.

The rules:

1. A checkpoint is taken in the snapshot of the read. A record is *new* to its reader if the id of its transaction is at
   or above the oldest transaction that was running then. The list of running transactions in a snapshot is not used: it
   lacks subtransactions, and on a hot standby it is empty. So a record may be new twice, which changes nothing.
2. An id is *settled* when the oldest running transaction is at or above the next transaction id of an earlier
   checkpoint: the transaction that took the id has ended. ``UNSETTLED_IDS`` allows for ids taken before their
   transaction had an id itself. New records are searched among the ids that are not settled.
3. The history goes on if the server has not been restarted and the table still has the same file; else if the next
   transaction id has not gone back, and the newest records known to the checkpoint, of which there must be some, are
   still there, unchanged. If neither holds, everything is read again.
4. Updates in place and removals leave no new id. The server counts them for the table; when the count has changed, or
   where there is none (on a standby), the records are compared with the checkpoint, at most every few seconds; else
   every few minutes, since a count can be off or be reset, and ids can be older than ``UNSETTLED_IDS`` allows for.
   What was written since the last comparison is then read again, since it may have been updated after it was read.
   Small workloads are always compared.
5. On Citus, all of this is read on the server of the workload's shard; the newest id and the newest records are then
   those of the workload.
"""
