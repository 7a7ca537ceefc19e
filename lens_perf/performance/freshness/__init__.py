"""Finds the changes in a workload since a reader last read it: checkpoints, cursors, ETags, and their statements.

The rules:

1. A checkpoint is taken in the snapshot of the read. A record is *new* to the reader if its transaction id is at or
   above that of the oldest transaction that was running at the checkpoint. The list of running transactions in a
   snapshot is not used: it lacks subtransactions, and on a hot standby it is empty. So the same record may be found to
   be new twice, which must have no effect.
2. An id is *settled* when the oldest running transaction is at or above the next transaction id of an earlier
   checkpoint: the transaction that took the id has ended. ``UNSETTLED_IDS`` allows for ids taken before their
   transaction had an id itself. New records are searched for only among ids that are not settled.
3. The table still has the *history* of a checkpoint if the server has not been restarted and the table has the same
   file. Otherwise, it does if the next transaction id has not decreased and the newest records of the checkpoint
   (there must be at least one) still exist, unchanged. If not, everything is read again.
4. Updates in place and deletions create no new id. The server counts them for the table. If the count has changed, or
   if there is no count (on a standby), the records are compared with the checkpoint, at most every few seconds. If it
   has not changed, they are compared every few minutes, because a count can be inaccurate or reset, and because ids can
   be older than ``UNSETTLED_IDS`` allows for. Each comparison reads all records again that were written since the last
   one, because they may have been updated after they were read. Small workloads are compared every time.
5. On Citus, all of this is read on the server of the workload's shard, and the newest id and the newest records are
   those of the workload instead of the table.
"""
