"""gRPC on the emulator's port, and messages in protobuf over HTTP/1.1."""
