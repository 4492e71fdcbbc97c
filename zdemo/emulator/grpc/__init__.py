"""gRPC beside HTTP/1.1 on the emulator's one port, and messages in protobuf over HTTP/1.1."""
