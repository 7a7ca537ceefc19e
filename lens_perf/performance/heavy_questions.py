"""Remembers which questions turned out heavy, so that they next wait for their turn before they cost anything."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

MOST_QUESTIONS = 512


class HeavyQuestions:
    """The latest questions that had many data points. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._questions: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, question: Hashable) -> bool:
        return question in self._questions

    def add(self, question: Hashable) -> None:
        """Remember a question, and forget the oldest if there are too many."""
        with self._lock:
            self._questions[question] = None
            self._questions.move_to_end(question)
            if len(self._questions) > MOST_QUESTIONS:
                self._questions.popitem(last=False)
