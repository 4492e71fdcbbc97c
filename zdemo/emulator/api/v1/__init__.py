"""The APIs of version 1, by REST and gRPC: other views of the objects and methods of v2."""

from zdemo.emulator.api.v1 import instance, management_methods  # noqa: F401 - all services
