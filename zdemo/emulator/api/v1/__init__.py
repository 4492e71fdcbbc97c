"""The APIs of version 1, by REST and gRPC: other views of the objects and methods of v2."""
