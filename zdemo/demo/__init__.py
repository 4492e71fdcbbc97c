"""The demo: what each kind of request gets, over real HTTP, at an emulated ZITADEL or at a real one."""
