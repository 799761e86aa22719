import numpy as np

from affectvlm.scan.least_squares import normal_equations, solve


def _system(rows):
    rng = np.random.default_rng(rows)
    return rng.normal(size=(rows, 9)), rng.uniform(0.1, 2, rows), rng.normal(size=rows)


def test_the_normal_equations_are_the_products_of_matrices_whatever_the_number_of_rows():
    for rows in (1, 3, 4, 5, 8, 39):
        jacobian, weights, gaps = _system(rows)
        matrix, pull = np.full((9, 9), np.nan), np.full(9, np.nan)
        normal_equations(jacobian, weights, gaps, matrix, pull)
        np.testing.assert_allclose(np.tril(matrix), np.tril(jacobian.T @ (weights[:, None] * jacobian)), atol=1e-12)
        np.testing.assert_allclose(pull, jacobian.T @ (weights * gaps), atol=1e-12)


def test_the_solution_solves_and_only_the_lower_half_is_read():
    jacobian, weights, gaps = _system(39)
    matrix, right = jacobian.T @ (weights[:, None] * jacobian), jacobian.T @ (weights * gaps)
    lower, answer = np.tril(matrix), right.copy()
    solve(lower, answer)
    np.testing.assert_allclose(matrix @ answer, right, atol=1e-11)


def test_the_weighted_fit_of_a_line_is_the_textbooks():
    # y = 1 + 2 x through two heavy points; the third weighs nothing.
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 100.0])
    jacobian = np.column_stack([np.ones(3), x])
    matrix, pull = np.empty((2, 2)), np.empty(2)
    normal_equations(jacobian, np.array([1.0, 1.0, 0.0]), y, matrix, pull)
    solve(matrix, pull)
    np.testing.assert_allclose(pull, [1, 2], atol=1e-12)
