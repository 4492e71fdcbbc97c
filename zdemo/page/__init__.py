"""The page that shows every request to the API, and why it was answered so; for the person at this machine."""

from zdemo.page.access import new_key
from zdemo.page.app import paged
from zdemo.page.page_context import PageContext, PageOptions

__all__ = ["PageContext", "PageOptions", "new_key", "paged"]
