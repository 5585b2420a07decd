"""As `mutants`: what other agents and their tools are told, over A2A and MCP, and who they are taken for."""

from tests.mutants import Mutation

A2A, MCP = "api/holdfast/core/a2a", "api/holdfast/routes"

MUTATIONS = (
    Mutation(
        "a task that asks something is done",
        f"{A2A}/tasks.py",
        "        if self.questions:\n            return INPUT_REQUIRED\n",
        "",
        "tests/a2a/test_tasks.py -k plain_question",
    ),
    Mutation(
        "everybody finds every task by its name",
        f"{A2A}/tasks.py",
        "    thread = await threads.find(platform, caller, thread_id)\n",
        "    thread = await threads.find(platform, replace(caller, staff=True), thread_id)\n",
        "tests/a2a/test_tasks.py -k not_there",
    ),
    Mutation(
        "a task is found at every assistant",
        f"{A2A}/tasks.py",
        "    if task.assistant_id != assistant_id:\n",
        "    if False:\n",
        "tests/a2a/test_tasks.py -k not_there",
    ),
    Mutation(
        "a message that is sent again is heard again",
        f"{A2A}/sending.py",
        "planned, stamp, key_of(said))",
        "planned, stamp)",
        "tests/a2a/test_tasks.py -k same_message_twice",
    ),
    Mutation(
        "an answer that is sent again is given again",
        f"{A2A}/sending.py",
        "    if heard_before(task, said):\n",
        "    if False:\n",
        "tests/a2a/test_tasks.py -k by_the_id_of_the_question",
    ),
    Mutation(
        "a run that is over is told from where it has come to",
        f"{A2A}/subscribing.py",
        "if sent.place is None:",
        "if True:",
        "tests/a2a/test_following.py --timeout 10",
    ),
    Mutation(
        "a task is told as ended before it is",
        f"{A2A}/subscribing.py",
        "return self.task.before_end(ended[0]) if ended else self.task",
        "return self.task",
        "tests/a2a/test_following.py",
    ),
    Mutation(
        "news of a task goes to addresses inside",
        f"{A2A}/pushes.py",
        '    platform.targets.check(given.get("url") or "")\n',
        "",
        "tests/a2a/test_pushes.py -k nowhere_inside",
    ),
    Mutation(
        "credentials of a push notification are shown again",
        f"{A2A}/pushes.py",
        '{"authentication": {"scheme": scheme}}',
        '{"authentication": target["authentication"]}',
        "tests/a2a/test_pushes.py -k can_be_read",
    ),
    Mutation(
        "a client of 0.3 is told in the terms of 1.0",
        f"{A2A}/pushes.py",
        'if target.get("version") == older.VERSION else',
        "if False else",
        "tests/a2a/test_pushes.py -k terms_of_0_3",
    ),
    Mutation(
        "a stream of 0.3 that asks something does not say that it has ended",
        f"{MCP}/a2a_older.py",
        "        update.final = True\n",
        "        pass\n",
        "tests/a2a/test_protocol.py -k ends_says_so",
    ),
    Mutation(
        "a form that is declined approves",
        f"{MCP}/mcp_forms.py",
        'if response.action == "accept" else "reject"',
        'if response.action == "accept" else "approve"',
        "tests/api/test_mcp.py -k form_that_a_person_answers",
    ),
    Mutation(
        "a form asks for the decision of others",
        f"{MCP}/mcp_server.py",
        "if one.own and one.name not in asked}",
        "if one.name not in asked}",
        "tests/api/test_mcp.py -k decision_of_others",
    ),
    Mutation(
        "a form that was put aside is shown again",
        f"{MCP}/mcp_server.py",
        "if one.own and one.name not in asked}",
        "if one.own}",
        "tests/api/test_mcp.py -k leaves_open",
    ),
    Mutation(
        "a key for reading calls tools",
        f"{MCP}/mcp.py",
        'if calls and "write" not in caller.scopes:',
        "if False:",
        "tests/api/test_mcp_door.py -k may_only_read",
    ),
    Mutation(
        "any page calls tools",
        f"{MCP}/mcp.py",
        "    check_origin(request)\n",
        "",
        "tests/api/test_mcp_door.py -k may_not_call",
    ),
    Mutation(
        "a client of MCP is not told whose tokens are taken",
        f"{MCP}/mcp.py",
        "            if request.app.state.sign_in.issuer:\n",
        "            if False:\n",
        "tests/auth/test_oauth.py -k stranger",
    ),
)
