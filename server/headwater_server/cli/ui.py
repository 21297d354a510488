"""`headwater ui`: look at a store in the browser."""

import webbrowser
from contextlib import ExitStack, closing

import click
from headwater_runtime.daemon_threads import start_daemon
from headwater_stores.config.settings import read_settings, redact

HOST = "127.0.0.1"


@click.command("ui", short_help="Look at a store in the browser.")
@click.option("--url", help="The store: a folder, profile:NAME, or the address of a server. Default: HEADWATER_URL.")
@click.option("--port", default=0, help="Port to listen on.  [default: any free one]")
@click.option("--no-browser", is_flag=True, help="Print the address to open instead of opening it.")
def ui_command(url: str | None, port: int, no_browser: bool) -> None:
    """Open the page of a store in the browser: projects, versions, lineage, and what changes.

    It is served on this machine alone, to the browser alone that opens the address, until Ctrl-C. A folder is created
    if it is missing. A server shows its own page: that is opened, and the command ends.
    """
    settings = read_settings(url=url)
    if settings.server is not None:
        _show(settings.server.url, settings.server.url, is_opened=not no_browser)
        return

    from headwater_server.opening import opened_for_looking  # deferred: kafka, http
    from headwater_server.running import Address, listen, serve  # deferred: http
    from headwater_server.web.one_time import LocalVisitor  # deferred: http
    from headwater_server.web.page import local_page  # deferred: http

    address, visitor = Address(host=HOST, port=port), LocalVisitor()
    with ExitStack() as stack:
        listening = stack.enter_context(closing(listen(address)))  # first: what fails leaves no store behind
        service = stack.enter_context(opened_for_looking(settings))
        serve(
            service,
            local_page(service, visitor),
            address,
            listening,
            # In a thread: some browsers run in the terminal, and this would wait for their end.
            ready=lambda at: start_daemon(
                lambda: _show(redact(settings.url), at, visitor.address(at), is_opened=not no_browser),
                "opening-browser",
            ),
        )
    click.echo("headwater ui: ended.")


def _show(store: str, at: str, once: str | None = None, *, is_opened: bool) -> None:
    """Open the page; where that is not wanted or cannot be done, say which address to open."""
    if is_opened and webbrowser.open(once or at):
        click.echo(
            f"headwater ui: {store} is at {at}, opened in your browser." + (once is not None) * " Ctrl-C ends it."
        )
    else:
        click.echo(f"headwater ui: {store} is at {once or at}" + (once is not None) * " (counts once; Ctrl-C ends it)")
