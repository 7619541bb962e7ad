Feature: An error that may pass is tried again, if the task asks for it

  A busy provider or a slot that died is no fault of the task. A task with retries waits after such an error,
  one second first and twice as long each time, at most a minute, and gets another attempt. By default there
  are no retries: the task fails at its first refusal and says that trying again may help. An error that
  would come again is never tried again.

  @real
  Scenario: A refusal that passes costs an attempt
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500 once and answers "now", with
      | retries | 1 |
    Then A is parked because of "backoff"
    When 1 second passes
    Then A answers "now"
    And the attempts are
      | task | attempt | end       |
      | A    | 1       | failed    |
      | A    | 2       | succeeded |

  Scenario: The wait doubles
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500 twice and answers "at last", with
      | retries | 2 |
    Then A is parked because of "backoff"
    When 1 second passes
    Then A is parked because of "backoff"
    When 1 second passes
    Then A is parked because of "backoff"
    When 1 second passes
    Then A answers "at last"

  Scenario: Retries end
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500, with
      | retries | 1 |
    Then A is parked because of "backoff"
    When 1 second passes
    Then A fails for now with provider_error
    And the attempts are
      | task | attempt | end    |
      | A    | 1       | failed |
      | A    | 2       | failed |

  Scenario: An error that would come again is not tried again
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 404, with
      | retries | 3 |
    Then A fails for good with model_not_found
    And the attempts are
      | task | attempt |
      | A    | 1       |

  Scenario: A waiting retry holds no slot
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500 once and answers "a", with
      | retries | 1 |
    And the coordinator runs B, which answers "b"
    Then B is completed
    And A is parked because of "backoff"
