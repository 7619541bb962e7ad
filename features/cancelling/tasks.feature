Feature: Any task that has not ended can be cancelled

  A caller that does not want a result any more says so, whatever the task is doing. One that waits ends at
  once and costs nothing. One that runs is interrupted, what it cost is paid, and its slot goes on with the
  next task in the same process. Cancelling what was cancelled changes nothing; what has ended stays as it is.

  @cli
  Scenario: A waiting task ends at once
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And the coordinator submits B, which answers "b"
    And the coordinator cancels B
    Then the tasks are
      | task | state     | success | error | attempts | cost |
      | B    | cancelled | no      |       | 0        | $0   |
    And A is running

  @real
  Scenario: A running task is interrupted, and its slot goes on
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released and uses 1000 and 10 tokens
    And A is at work
    And the coordinator cancels A
    Then A is cancelled
    When the coordinator runs B, which answers "b"
    Then the attempts are
      | task | end       | slot   | process |
      | A    | cancelled | slot-0 | 1       |
      | B    | succeeded | slot-0 | 1       |

  @real
  Scenario: A task is cancelled while its process is being started
    Given a pool of 1 slot
    When the coordinator submits A, which answers "a", with
      | system prompt | Be brief. |
    And the coordinator cancels A
    Then the tasks are
      | task | state     | cost | answer |
      | A    | cancelled | $0   |        |
    When the coordinator runs B, which answers "b"
    Then B is completed

  Scenario: A task that waits for its next attempt ends at once
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500 once and answers "a", with
      | retries | 1 |
    Then A is parked because of "backoff"
    When the coordinator cancels A
    And 5 seconds pass
    Then A is cancelled
    And the attempts are
      | task | attempt |
      | A    | 1       |

  Scenario: Cancelling twice changes nothing
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And A is at work
    And the coordinator cancels A
    And the coordinator cancels A
    Then A is cancelled

  Scenario Outline: What has ended cannot be cancelled
    Given a pool of 1 slot
    When the coordinator runs A, which <does>
    And the coordinator cancels A
    Then the coordinator is refused with wrong_state
    And A is <state>

    Examples:
      | does                       | state     |
      | answers "a"                | completed |
      | is refused with status 404 | failed    |

  Scenario: What was never accepted cannot be cancelled
    Given a pool of 1 slot
    When the coordinator cancels Z
    Then the coordinator is refused with not_found
