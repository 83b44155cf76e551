"""What a task that did not succeed raises."""


class TaskFailed(RuntimeError):
    """The task did not succeed; the job counts the attempt as failed."""
