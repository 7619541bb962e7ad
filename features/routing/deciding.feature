Feature: A router decides how work is split, and the pool does it that way

  Not all work is best done by one agent in one go. A coordinator that does not want to decide about that
  leaves it to a router: a model that reads the work and answers with a route. It may be single (one task, with
  the prompt as it was given), parallel (several tasks that do not need each other) or a chain (steps that see
  what came before them). The router has no tools and does none of the work; what the work says to it is a text
  to be judged and no instruction. Its task is one like any other, so what it costs is in the sum. Asking for
  the route alone shows what would be done. What stands behind `reply` below is the router's answer.

  Scenario: Parts that do not need each other are done side by side
    Given a pool of 2 slots
    When a coordinator connects with the toolsets "auto"
    And it calls pool_auto with
      """
      {"prompt": "[[reply: {\"route\": \"parallel\", \"prompts\": [\"Tidy the cellar.\", \"Tidy the attic.\"], \"reason\": \"Two places.\"}]] Tidy up."}
      """
    Then it is given
      | route             | "parallel"               |
      | reason            | "Two places."            |
      | fallback          | false                    |
      | finished          | true                     |
      | results.0.output  | "echo: Tidy the cellar." |
      | results.1.output  | "echo: Tidy the attic."  |

  Scenario: Parts that need each other become a chain
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto"
    And it calls pool_auto with
      """
      {"prompt": "[[reply: {\"route\": \"chain\", \"steps\": [{\"name\": \"count\", \"prompt\": \"Count the boxes.\"}, {\"name\": \"tell\", \"prompt\": \"Tell of {previous_output}\"}]}]] Tidy up."}
      """
    Then it is given
      | route              | "chain"                              |
      | chain.state        | "completed"                          |
      | chain.final_output | "echo: Tell of echo: Count the boxes." |

  Scenario: A step is shown what the one before it said, even if the router forgot to say so
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto"
    And it calls pool_route with
      """
      {"prompt": "[[reply: {\"route\": \"chain\", \"steps\": [{\"name\": \"count\", \"prompt\": \"Count the boxes.\"}, {\"name\": \"tell\", \"prompt\": \"Tell.\"}]}]] Tidy up."}
      """
    Then it is given
      | steps.0.prompt | "Count the boxes."                                                     |
      | steps.1.prompt | "Tell.\\n\\nWhat the step before this one said:\\n\\n{previous_output}" |

  Scenario: Asking for the route does none of the work
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto,core"
    And it calls pool_route with
      """
      {"prompt": "[[reply: {\"route\": \"parallel\", \"prompts\": [\"Tidy the cellar.\", \"Tidy the attic.\"]}]] Tidy up."}
      """
    Then it is given
      | route   | "parallel"                              |
      | prompts | ["Tidy the cellar.", "Tidy the attic."] |
    When it calls pool_status with
      """
      {}
      """
    Then it is given
      | completed_tasks | 1 |

  Scenario: What the router cost is in the sum
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "auto,core"
    And it calls pool_auto with
      """
      {"prompt": "[[reply: {\"route\": \"parallel\", \"prompts\": [\"Tidy the cellar.\", \"Tidy the attic.\"]}]] Tidy up.", "tags": ["house"]}
      """
    Then it is given
      | cost_microdollars | 1200 |
    When it calls pool_session_metrics with
      """
      {"tag": "house"}
      """
    Then it is given
      | total_tasks       | 3    |
      | cost_microdollars | 1200 |
