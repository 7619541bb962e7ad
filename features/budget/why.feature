Feature: Money says why it is where it is

  A number alone explains nothing: why does nothing start, who holds the money, who set that limit? The
  answer to why begins with what decides, and goes on with who holds money and with each change of a limit, by whom
  and at which event. Every sentence has a word beside it, for programs, and where something helps, it says what.

  Scenario: Money that is free
    Given a pool of 1 slot with
      | budget | $5 |
    When the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And a coordinator connects with the toolsets "debug"
    And it calls pool_why with
      """
      {"id": "budget"}
      """
    Then it is given
      | state            | "free"                                                                    |
      | because.0.text   | "$0.003000 spent and $0.000000 reserved: $4.997000 of $5.000000 are free" |
      | because.1.reason | "limit"                                                                   |

  Scenario: Money that a running task holds
    Given a pool of 1 slot with
      | budget | $5 |
    When the coordinator submits A, which works until it is released
    And A is at work
    And a coordinator connects with the toolsets "debug"
    And it calls pool_why with
      """
      {"id": "budget"}
      """
    Then it is given
      | because.1.reason | "reserved" |
      | because.2.reason | "limit"    |

  Scenario: Money that is spent, and what helps
    Given a pool of 1 slot with
      | budget | $0.004 |
    When the coordinator runs A, which answers "a" and uses 1000 and 200 tokens
    And a coordinator connects with the toolsets "debug"
    And it calls pool_why with
      """
      {"id": "budget"}
      """
    Then it is given
      | state | "exhausted"                                                                                |
      | do    | "raise the limit by `claude-pool budget set`, or count anew by `claude-pool budget reset`" |

  Scenario: The money of a tag
    Given a pool of 1 slot with
      | budget | $5 |
    When the coordinator changes the budget with
      | scope   | tag:docs |
      | set usd | $1       |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens, with
      | tags | docs |
    And a coordinator connects with the toolsets "debug"
    And it calls pool_why with
      """
      {"id": "tag:docs"}
      """
    Then it is given
      | state          | "free"                                                                    |
      | because.0.text | "$0.003000 spent and $0.000000 reserved: $0.997000 of $1.000000 are free" |

  Scenario: A tag that nobody has used
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "debug"
    And it calls pool_why with
      """
      {"id": "tag:nothing"}
      """
    Then it is told "[not_found]"
