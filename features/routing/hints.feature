Feature: What the hints forbid is not done, and an answer that is no route is a single task

  A router is a model and may be wrong. Hints are therefore more than advice: they say how many parallel
  prompts or steps there may be, and which route the caller would rather have (that one or a single task, never
  the third). A route outside of them, or an answer that nobody can read, becomes a single task with the prompt
  as it was given. Nothing of the work is lost that way, and the answer says why it happened.

  Scenario Outline: A forbidden route becomes a single task
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto"
    And it calls pool_auto with
      """
      {"prompt": "[[reply: {\"route\": \"parallel\", \"prompts\": [\"one\", \"two\", \"three\"]}]] Tidy up.", <hint>}
      """
    Then it is given
      | route      | "single"    |
      | fallback   | true        |
      | reason     | "<why>"     |
      | task.state | "completed" |

    Examples:
      | hint                     | why                                                         |
      | "max_parallel": 2        | the router's 3 prompts are more than the 2 allowed          |
      | "max_parallel": 1        | the router chose parallel, which the hints do not allow     |
      | "prefer": "prefer_chain" | the router chose parallel, which the hints do not allow     |

  Scenario: An answer that is no route
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto"
    And it calls pool_auto with
      """
      {"prompt": "[[reply: I would rather tidy up myself.]] Tidy up."}
      """
    Then it is given
      | route       | "single"                                |
      | fallback    | true                                    |
      | reason      | "the router's answer holds no route"    |
      | task.output | "I would rather tidy up myself."        |

  Scenario: Two routes at once are none
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto"
    And it calls pool_route with
      """
      {"prompt": "[[reply: {\"route\": \"single\"} or perhaps {\"route\": \"parallel\", \"prompts\": [\"one\", \"two\"]}]] Tidy up."}
      """
    Then it is given
      | route    | "single"                                      |
      | fallback | true                                          |
      | reason   | "the router's answer holds more than one route" |

  Scenario: Where the hints leave one route, nobody is asked
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto"
    And it calls pool_route with
      """
      {"prompt": "[[reply: {\"route\": \"parallel\", \"prompts\": [\"one\", \"two\", \"three\"]}]] Tidy up.", "prefer": "prefer_single"}
      """
    Then it is given
      | route             | "single" |
      | fallback          | false    |
      | router_task_id    | null     |
      | cost_microdollars | 0        |

  Scenario: The same key gives the same work again
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto,core"
    And it calls pool_auto with
      """
      {"prompt": "[[reply: {\"route\": \"parallel\", \"prompts\": [\"one\", \"two\", \"three\"]}]] Tidy up.", "idempotency_key": "spring"}
      """
    And it calls pool_auto with
      """
      {"prompt": "[[reply: {\"route\": \"parallel\", \"prompts\": [\"one\", \"two\", \"three\"]}]] Tidy up.", "idempotency_key": "spring"}
      """
    Then it is given
      | results.2.output | "echo: three" |
    When it calls pool_status with
      """
      {}
      """
    Then it is given
      | completed_tasks | 4 |
    When it calls pool_auto with
      """
      {"prompt": "something else", "idempotency_key": "spring"}
      """
    Then it is told "[idempotency_conflict] "
