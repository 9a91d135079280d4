//! The edge between our planes and OpenCV's matrices.

use opencv::boxed_ref::BoxedRef;
use opencv::core::{CV_8UC1, CV_8UC2, Mat};

use super::VisionError;
use crate::capture::Plane;

/// OpenCV's warps address pixels with 16 bits.
const SIDE_MAX: usize = i16::MAX as usize;

/// A picture inside OpenCV that borrows its pixels.
pub(super) type View<'a> = BoxedRef<'a, Mat>;

/// The plane as a matrix, without copying the picture.
pub(super) fn over(plane: Plane<'_>) -> Result<View<'_>, VisionError> {
    view(plane, plane.width, CV_8UC1)
}

/// A plane in which two kinds of sample alternate, as a matrix of two channels.
pub(super) fn over_pairs(plane: Plane<'_>) -> Result<View<'_>, VisionError> {
    view(plane, plane.width / 2, CV_8UC2)
}

fn view(plane: Plane<'_>, columns: usize, kind: i32) -> Result<View<'_>, VisionError> {
    let Plane { data, width, height, stride } = plane;
    if columns == 0 || height == 0 || columns > SIDE_MAX || height > SIDE_MAX {
        return Err(VisionError::Size { width: columns, height });
    }
    assert!(
        stride >= width && data.len() >= (height - 1) * stride + width,
        "a plane holds all the rows that it says it has"
    );
    // SAFETY: the assertion above keeps every row within `data`, which outlives the matrix by the
    // lifetime that `View` carries and cannot be changed while it is borrowed. The cast to a mutable
    // pointer is OpenCV's signature only: a `View` hands out no mutable access.
    let mat = unsafe {
        let pixels = data.as_ptr().cast_mut().cast();
        Mat::new_rows_cols_with_data_unsafe(height as i32, columns as i32, kind, pixels, stride)
    }?;
    Ok(mat.into())
}

#[cfg(test)]
mod tests {
    use opencv::core::MatTraitConst;

    use super::*;

    #[test]
    fn rows_are_found_behind_the_stride() {
        // 3x2 in rows of 5, the last row ending early.
        let data = [1, 2, 3, 0, 0, 4, 5, 6];
        let mat = over(Plane { data: &data, width: 3, height: 2, stride: 5 }).unwrap();
        assert_eq!(*mat.at_2d::<u8>(1, 2).unwrap(), 6);
        assert_eq!(*mat.at_2d::<u8>(0, 1).unwrap(), 2);
    }

    #[test]
    fn no_picture_is_an_error() {
        let empty = over(Plane { data: &[], width: 0, height: 0, stride: 0 });
        assert!(matches!(empty, Err(VisionError::Size { .. })));
    }
}
