Feature: A tool's result is data, and its error begins with a code

  Coordinators are programs and models. A result is an object with the same names everywhere, so that it can
  be computed with; an error is a text that begins with a code in brackets and goes on to say what to do. No
  error shows a trace of the program's insides, and none ends the connection.

  Scenario: A task's view
    Given a pool of 1 slot
    When a coordinator connects
    And it calls pool_run with
      """
      {"prompt": "[[reply: Paris]] What is the capital of France?", "tags": ["geography"]}
      """
    Then it is given
      | state             | "completed"      |
      | success           | true             |
      | output            | "Paris"          |
      | cost_usd          | 0.0004           |
      | cost_microdollars | 400              |
      | tokens.input      | 100              |
      | tokens.output     | 20               |
      | attempts          | 1                |
      | tags              | ["geography"]    |
      | error             | null             |
      | reason            | null             |

  Scenario: A wait that is longer than the longest is no mistake
    Given a pool of 1 slot
    When a coordinator connects
    And it calls pool_fan_out with
      """
      {"prompts": ["[[reply: one]]", "[[reply: two]]"], "wait_seconds": 5000}
      """
    Then it is given
      | results.0.output | "one" |
      | results.1.output | "two" |

  Scenario: What a pool's tasks came to
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a" and uses 1000 and 100 tokens, with
      | tags | docs |
    And the coordinator runs B, which is refused with status 404
    And a coordinator connects
    And it calls pool_session_metrics with
      """
      {"tag": "docs"}
      """
    Then it is given
      | total_tasks       | 1    |
      | cost_microdollars | 3000 |

  Scenario Outline: An error begins with its code
    Given a pool of 1 slot
    When a coordinator connects
    And it calls <tool> with
      """
      <arguments>
      """
    Then it is told "<text>"
    When it calls pool_status with
      """
      {}
      """
    Then it is given
      | idle_slots | 1 |

    Examples:
      | tool          | arguments                                   | text                                                        |
      | pool_run      | {"prompt": "  "}                            | [invalid_argument] prompt: a prompt cannot be empty         |
      | pool_run      | {}                                          | [invalid_argument] prompt: is required                      |
      | pool_run      | {"prompt": "a", "modell": "opus"}           | [invalid_argument] modell: there is no such argument        |
      | pool_run      | {"prompt": "a", "priority": "high"}         | [invalid_argument] priority: should be a whole number       |
      | pool_run      | {"prompt": "a", "session": "yesterday"}     | [invalid_argument] session: say fresh, slot,                |
      | pool_run      | {"prompt": "a", "timeout_seconds": -1}      | [invalid_argument] timeout_seconds: should be seconds       |
      | pool_submit   | {"prompt": "a", "working_dir": "/no/such"}  | [invalid_argument] working_dir: there is no such directory  |
      | pool_result   | {"task_id": "7"}                            | [invalid_argument] task_id: a task's id is task- and        |
      | pool_result   | {"task_id": "task-aaaaaaaaaaaaaaaa"}        | [not_found] There is no task task-aaaaaaaaaaaaaaaa.         |
      | pool_wait     | {"task_ids": ["task-aaaaaaaaaaaaaaaa"]}     | [not_found] There is no task task-aaaaaaaaaaaaaaaa.         |
      | context_get   | {"key": "branch"}                           | [not_found] There is no context value branch.               |
      | pool_budget   | {"set_usd": 0}                              | [invalid_argument] set_usd: should be dollars               |
      | pool_hammer   | {}                                          | [not_found] There is no tool pool_hammer.                   |
