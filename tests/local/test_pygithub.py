"""The unmodified PyGithub works against the stand-in, end to end."""

from __future__ import annotations

import github
import pytest
from support.pygithub import RoutedToken
from support.standin import GITHUB_TOKEN, route


@pytest.fixture
def hub(archal):
    way = route(archal)
    auth = RoutedToken(GITHUB_TOKEN, {"x-route-authorization": f"Bearer {way.token}"})
    with github.Github(
        base_url=way.base,
        auth=auth,
        retry=None,
        seconds_between_writes=0,
        seconds_between_requests=0,
    ) as client:
        yield client


def test_a_working_day(hub, archal):
    """Create, paginate, edit, comment, label, write files, and clean up."""
    me = hub.get_user()
    assert me.login == "testuser"
    repo = me.create_repo("work", description="d", auto_init=True, private=False)
    assert repo.full_name == "testuser/work"
    assert hub.get_repo("testuser/work").id == repo.id
    assert [one.name for one in me.get_repos()] == ["work"]

    for number in range(1, 36):
        repo.create_issue(f"issue {number}", body="b", labels=["bug"], assignee="testuser")
    assert [issue.number for issue in repo.get_issues()] == list(range(35, 0, -1))
    assert repo.get_issues(state="open", labels=["bug"]).totalCount == 35

    issue = repo.get_issue(1)
    issue.edit(title="new", state="closed", state_reason="not_planned")
    assert (issue.state, issue.title, issue.state_reason) == ("closed", "new", "not_planned")
    assert repo.get_issues(state="closed").totalCount == 1
    comment = issue.create_comment("hello")
    comment.edit("bye")
    assert [one.body for one in issue.get_comments()] == ["bye"]
    comment.delete()

    label = repo.create_label("area/api", "ff0000", "d")
    issue.add_to_labels(label, "bug")
    issue.remove_from_labels("bug")
    assert [one.name for one in issue.get_labels()] == ["area/api"]
    issue.set_labels("question")
    issue.delete_labels()
    assert repo.get_label("area/api").color == "ff0000"
    label.edit("api", "00ff00")
    label.delete()

    assert repo.get_contents("README.md").decoded_content == b"# work\nd\n"
    made = repo.create_file("src/a.py", "add", "one = 1\n")["content"]
    changed = repo.update_file("src/a.py", "change", "one = 2\n", made.sha)["content"]
    assert repo.get_contents("src/a.py").decoded_content == b"one = 2\n"
    assert [one.path for one in repo.get_contents("")] == ["README.md", "src"]
    repo.delete_file("src/a.py", "remove", changed.sha)

    repo.edit(name="play", description="e")
    assert hub.get_repo("testuser/play").description == "e"
    repo.delete()
    assert list(me.get_repos()) == []
    saw = archal.requests[-1].clone_saw.headers
    assert "authorization" in saw
    assert "x-route-authorization" not in saw


def test_errors_are_mapped(hub):
    """PyGithub finds the message and the details of GitHub's own errors."""
    hub.get_user().create_repo("work")
    with pytest.raises(github.GithubException) as twice:
        hub.get_user().create_repo("work")
    assert twice.value.status == 422
    assert twice.value.data["errors"][0]["message"] == "name already exists on this account"
    with pytest.raises(github.UnknownObjectException):
        hub.get_repo("testuser/none")


def test_a_missing_credential_is_githubs_401(archal):
    """The route is fine, the service refuses."""
    way = route(archal)

    class RouteOnly(RoutedToken):
        def authentication(self, headers):
            headers.update(self._headers)

    auth = RouteOnly(GITHUB_TOKEN, {"x-route-authorization": f"Bearer {way.token}"})
    client = github.Github(base_url=way.base, auth=auth, retry=None)
    with client, pytest.raises(github.GithubException) as refused:
        client.get_user().login  # noqa: B018 - the property makes the call
    assert refused.value.status == 401
    assert refused.value.data["message"] == "Requires authentication"
