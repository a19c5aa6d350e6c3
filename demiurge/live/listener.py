"""Stub until the real one."""


class Listener: ...
