Feature: What only a person can mend stops the pool at the first sign

  A key that is refused, or an account without money, is refused to every slot. Nothing starts any more, and
  nothing is tried again by itself. Whoever mends it resumes the pool, from a shell with the new key or login
  where that is what changed, and everything that waited runs.

  @real
  Scenario: A key that is refused
    Given a pool of 1 slot
    When the coordinator runs A, which is refused with status 401 once and answers "a"
    And the coordinator submits B, which answers "b"
    Then A is parked because of "not_logged_in"
    And B is pending because of "not_logged_in"
    When the coordinator resumes the pool
    Then A answers "a"
    And B answers "b"

  Scenario: An account that may not do this
    Given a pool of 1 slot
    When the coordinator runs A, which is refused with status 403 once and answers "a"
    Then A is parked because of "not_logged_in"
    When 60 seconds pass
    Then A is parked because of "not_logged_in"

  @real
  Scenario: An account without money
    Given a pool of 1 slot
    When the coordinator runs A, which finds no credit once and answers "a"
    Then A is parked because of "provider_billing"
    When the coordinator resumes the pool
    Then A answers "a"
