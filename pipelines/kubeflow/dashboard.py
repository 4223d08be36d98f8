"""Address of the dashboard of Kubeflow Pipelines, as a browser sees it."""


def serves_pages(address: str) -> bool:
    """Return whether an address answers a browser with a page."""
    import urllib3

    try:
        response = urllib3.request("GET", f"{address}/", timeout=5, retries=False, redirect=False)
    except (urllib3.exceptions.HTTPError, ValueError):
        return False
    # Behind a log-in the first answer is a redirection or a refusal, which a browser can deal with.
    return "text/html" in response.headers.get("Content-Type", "") or response.status in {302, 303, 307, 401}
