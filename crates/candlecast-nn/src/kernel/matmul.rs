//! Matrix products of the reference layers: a checked front to the `gemm` crate.

/// A matrix to be read: rows `row_stride` apart, columns `col_stride` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A dense row-major matrix.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The first `cols` columns of a row-major matrix with rows `row_stride` apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// Rows for columns.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            data: self.data,
        }
    }

    fn is_inside(&self) -> bool {
        extent(self.rows, self.cols, self.row_stride, self.col_stride) <= self.data.len()
    }
}

/// A row-major matrix to be written.
#[derive(Debug)]
pub(crate) struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// A dense row-major matrix.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The first `cols` columns of a row-major matrix with rows `row_stride` apart.
    pub(crate) fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { data, rows, cols, row_stride }
    }
}

/// One past the last index of a matrix of at least one element; 0 for an empty one.
fn extent(rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> usize {
    if rows == 0 || cols == 0 { 0 } else { (rows - 1) * row_stride + (cols - 1) * col_stride + 1 }
}

/// `to = a b`, or `to += a b` to `accumulate`.
pub(crate) fn multiply(to: MatrixMut<'_>, accumulate: bool, a: Matrix<'_>, b: Matrix<'_>) {
    assert!(to.rows == a.rows && to.cols == b.cols && a.cols == b.rows, "extents of a matrix product must agree");
    assert!(to.row_stride >= to.cols, "rows of a product must not overlap");
    assert!(
        a.is_inside() && b.is_inside() && extent(to.rows, to.cols, to.row_stride, 1) <= to.data.len(),
        "matrices must lie within their data"
    );
    // SAFETY: all three matrices lie within their slices and their extents agree, as asserted above; `to` is
    // borrowed mutably, so it overlaps neither `a` nor `b`, and its rows do not overlap each other.
    unsafe {
        gemm::gemm(
            to.rows,
            to.cols,
            a.cols,
            to.data.as_mut_ptr(),
            1,
            to.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// `to [m, n] = a [m, k] b [k, n]`, row-major, by the library that the portable path is built on; for measuring what
/// a machine can reach. All slices must have exactly these extents.
pub fn sgemm(to: &mut [f32], a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) {
    multiply(MatrixMut::new(to, m, n), false, Matrix::new(a, m, k), Matrix::new(b, k, n));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_the_definition() {
        let a: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..8).map(|i| 1.0 - i as f32).collect();
        // The first 3 of 4 columns of a, [3, 3], times the transpose of the first 3 of 4 columns of b, [2, 3].
        let mut to = vec![1.0_f32; 3 * 5];
        multiply(
            MatrixMut::strided(&mut to, 3, 2, 5),
            true,
            Matrix::strided(&a, 3, 3, 4),
            Matrix::strided(&b, 2, 3, 4).transposed(),
        );
        for r in 0..3 {
            for c in 0..2 {
                let dot: f32 = (0..3).map(|k| a[r * 4 + k] * b[c * 4 + k]).sum();
                assert_eq!(to[r * 5 + c], 1.0 + dot);
            }
            assert_eq!(to[r * 5 + 2..r * 5 + 5], [1.0; 3]);
        }
    }

    #[test]
    #[should_panic(expected = "within their data")]
    fn matrices_beyond_their_data_are_refused() {
        multiply(
            MatrixMut::new(&mut [0.0; 4], 2, 2),
            false,
            Matrix::new(&[0.0; 3], 2, 2),
            Matrix::new(&[0.0; 4], 2, 2),
        );
    }
}
