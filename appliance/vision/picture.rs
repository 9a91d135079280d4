use opencv::core::{Mat, MatTraitConst, MatTraitConstManual};
use opencv::imgcodecs::{self, IMREAD_GRAYSCALE};

use crate::capture::Plane;

/// A still picture as luma, decoded from any usual file format and turned upright by its EXIF note.
pub struct Picture(Mat);

/// Why a file is no picture. The messages are meant to stand behind the file's name and ": ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("the file is empty")]
    Empty,
    #[error(
        "this is not a picture in a known format, or it is damaged beyond reading; save it anew as JPEG, PNG, \
         WebP, TIFF, BMP or PNM"
    )]
    Undecodable,
    #[error("the picture is damaged: the file ends before the picture does")]
    CutShort,
    #[error("the picture is too large to decode")]
    TooLarge,
}

impl Picture {
    pub fn decode(file: &[u8]) -> Result<Self, PictureError> {
        if file.is_empty() {
            return Err(PictureError::Empty);
        }
        if is_cut_short(file) {
            return Err(PictureError::CutShort);
        }
        let bytes = Mat::from_slice(file).map_err(|_| PictureError::TooLarge)?;
        // OpenCV refuses more than 2^30 pixels with an error of its own and everything else that it
        // cannot decode with an empty matrix.
        let picture = imgcodecs::imdecode(&bytes, IMREAD_GRAYSCALE).map_err(|_| PictureError::TooLarge)?;
        if picture.empty() { Err(PictureError::Undecodable) } else { Ok(Self(picture)) }
    }

    pub fn luma(&self) -> Plane<'_> {
        let (width, height) = (self.0.cols() as usize, self.0.rows() as usize);
        let data = self.0.data_bytes().expect("a decoded picture lies in one piece");
        Plane { data, width, height, stride: width }
    }
}

/// The JPEG decoder fills what is missing with grey and only warns; a reader of plates must not take
/// grey for "nothing there".
fn is_cut_short(file: &[u8]) -> bool {
    const START_OF_JPEG: &[u8] = &[0xff, 0xd8, 0xff];
    const END_OF_JPEG: &[u8] = &[0xff, 0xd9];
    file.starts_with(START_OF_JPEG) && !file.windows(2).rev().any(|pair| pair == END_OF_JPEG)
}

#[cfg(test)]
mod tests {
    use opencv::core::{CV_8UC1, CV_16UC3, Rect, Scalar, Vector};
    use opencv::imgcodecs::imencode_def;
    use opencv::prelude::VectorToVec;

    use super::*;

    /// A picture of 64x32 whose left half is white, as a file.
    fn left_half_white(extension: &str, kind: i32, white: f64) -> Vec<u8> {
        let mut picture = Mat::new_rows_cols_with_default(32, 64, kind, Scalar::all(0.0)).unwrap();
        let mut left = Mat::roi_mut(&mut picture, Rect::new(0, 0, 32, 32)).unwrap();
        opencv::core::MatTrait::set_scalar(&mut left, Scalar::all(white)).unwrap();
        let mut file = Vector::new();
        imencode_def(extension, &picture, &mut file).unwrap();
        file.to_vec()
    }

    fn assert_left_half_white(file: &[u8]) {
        let picture = Picture::decode(file).unwrap();
        let luma = picture.luma();
        assert_eq!((luma.width, luma.height), (64, 32));
        for y in [2, 29] {
            assert!(luma.row(y)[4] > 245 && luma.row(y)[60] < 10, "row {y}: {:?}", luma.row(y));
        }
    }

    #[test]
    fn grey_sixteen_bit_cmyk_and_turned_pictures_come_out_right() {
        for extension in [".jpg", ".png", ".webp", ".tiff", ".bmp", ".pgm"] {
            assert_left_half_white(&left_half_white(extension, CV_8UC1, 255.0));
        }
        assert_left_half_white(&left_half_white(".png", CV_16UC3, 65_535.0));
        assert_left_half_white(include_bytes!("../../tests/fixtures/pictures/left-half-white-cmyk.jpg"));
        assert_left_half_white(include_bytes!("../../tests/fixtures/pictures/left-half-white-exif-6.jpg"));
    }

    /// The JPEG with an EXIF note that says how the camera was held: 1 to 8, as TIFF 6.0 numbers them.
    fn held(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
        let tiff = [b"MM\0*\0\0\0\x08\0\x01".as_slice(), &entry, &[0; 4]].concat();
        let length = u16::try_from(2 + 6 + tiff.len()).unwrap().to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, b"Exif\0\0", &tiff, &jpeg[2..]].concat()
    }

    #[test]
    fn however_the_camera_was_held_the_picture_comes_out_upright() {
        let jpeg = left_half_white(".jpg", CV_8UC1, 255.0);
        for orientation in 1..=8 {
            let picture = Picture::decode(&held(&jpeg, orientation)).unwrap();
            let luma = picture.luma();
            // Where the middle of the white half comes to lie, in a picture that lies or stands.
            let (width, height, x, y) = match orientation {
                1 | 4 => (64, 32, 16, 16),
                2 | 3 => (64, 32, 48, 16),
                5 | 6 => (32, 64, 16, 16),
                _ => (32, 64, 16, 48),
            };
            assert_eq!((luma.width, luma.height), (width, height), "orientation {orientation}");
            let (white, black) = (luma.row(y)[x], luma.row(height - 1 - y)[width - 1 - x]);
            assert!(white > 245 && black < 10, "orientation {orientation}: {white} and {black}");
        }
    }

    #[test]
    fn damaged_pictures_are_errors() {
        let refusal = |file: &[u8]| Picture::decode(file).map(|_| ()).unwrap_err();
        assert_eq!(refusal(b""), PictureError::Empty);
        assert_eq!(refusal(b"no picture"), PictureError::Undecodable);
        for extension in [".jpg", ".png", ".webp", ".tiff", ".bmp"] {
            let file = left_half_white(extension, CV_8UC1, 255.0);
            let half = refusal(&file[..file.len() / 2]);
            assert!(
                matches!(half, PictureError::CutShort | PictureError::Undecodable),
                "{extension}: {half}"
            );
        }
    }
}
