//! What the twin's camera sees, and how it is aimed.

use super::*;

impl Aiming for Twin {
    fn live(&self, camera: &CameraId) -> Option<watch::Receiver<Option<Arc<LivePicture>>>> {
        (camera.as_str() == "north").then(|| self.pictures.subscribe())
    }

    fn aims(&self) -> Vec<AimView> {
        let drawn = lock(&self.drawn).clone();
        let learned = serde_json::from_value(json!({
            "vehicles": 130, "x_px": 470.0, "y_px": 470.0, "width_px": 150.0, "character_height_px": 32.0,
            "angle_deg": 0.5, "x_slope": 0.4, "y_slope": 1.6,
        }));
        let learned = learned.unwrap();
        vec![AimView {
            camera: CameraId::parse("north").unwrap(),
            verified: Some((PersonName::parse("Dana Ruiz").unwrap(), NOW)),
            references: vec![ReferenceView { light: Light::Daylight, at: NOW, learned: false }],
            displacement: Some(Displacement {
                x_px: -43.0,
                y_px: 4.0,
                pan_deg: 1.0,
                tilt_deg: -0.1,
                roll_deg: 0.0,
                scale: 1.0,
                agreement: 0.8,
            }),
            lanes: vec![learned],
            lane_shift: None,
            lanes_doubtful: drawn.as_ref().is_some_and(|drawn| drawn.is_doubtful(Some(NOW))),
            reads_by_lane: drawn.as_ref().map(reads_by_lane).unwrap_or_default(),
            drawn,
        }]
    }

    fn draw_lanes(&self, _: &CameraId, lanes: DrawnLanes, by: &PersonName) -> Result<(), Refused> {
        let drawn = Drawn { lanes, by: by.clone(), at: NOW, aim: Some(NOW) };
        lock(&self.overview).cameras[0].reads_by_lane = reads_by_lane(&drawn);
        *lock(&self.drawn) = Some(drawn);
        Ok(())
    }

    fn verify_aim(&self, camera: &CameraId, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: aim of {camera}"));
        Ok(())
    }

    fn aim_picture(&self, _camera: &CameraId, _which: AimPicture) -> Option<Vec<u8>> {
        Some(picture(0).jpeg.to_vec())
    }
}

pub(super) fn reads_by_lane(drawn: &Drawn) -> Vec<LaneReads> {
    let names = drawn.lanes.iter().map(|lane| Some(lane.name().clone()));
    names.chain([None]).zip(1..).map(|(lane, number)| LaneReads { lane, reads: 37 * number }).collect()
}

/// A grey street with one plate that moves to and fro.
pub(super) fn picture(step: i32) -> LivePicture {
    let (width, height) = (1280, 720);
    let mut scene = Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(92.0)).unwrap();
    let fill = |scene: &mut Mat, x, y, w, h, shade: f64| {
        imgproc::rectangle(scene, Rect::new(x, y, w, h), Scalar::all(shade), -1, imgproc::LINE_8, 0).unwrap();
    };
    fill(&mut scene, 0, 0, width, 250, 190.0);
    fill(&mut scene, 600, 250, 12, 470, 215.0);
    let x = 380 + (step % 40 - 20).abs() * 6;
    fill(&mut scene, x - 180, 230, 560, 330, 40.0);
    fill(&mut scene, x - 130, 250, 460, 110, 130.0);
    plate(&mut scene, "8BX4021", Rect::new(x, 440, 190, 92));
    let corners = [(x, 440), (x + 190, 440), (x + 190, 532), (x, 532)].map(|(x, y)| (x as f32, y as f32));
    let plates = vec![PlateInPicture {
        corners,
        text: Some(Plate::parse("8BX4021").unwrap()),
        confidence: Probability::new(0.97).unwrap(),
        state: Some(State::Ma),
        width_px: 190.0,
        lane: None,
    }];
    let grey = vec![130; (width * height) as usize];
    let luma = Plane { data: &grey, width: width as usize, height: height as usize, stride: width as usize };
    let coaching = Coaching::of(luma, None, &[Corners(corners)]);
    LivePicture { jpeg: jpeg(&scene).into(), width: width as u32, height: height as u32, plates, coaching }
}

pub(super) fn crop(text: &str) -> Vec<u8> {
    let mut crop = Mat::new_rows_cols_with_default(144, 288, CV_8UC3, Scalar::all(60.0)).unwrap();
    plate(&mut crop, text, Rect::new(14, 10, 260, 124));
    let mut soft = Mat::default();
    imgproc::gaussian_blur_def(&crop, &mut soft, Size::new(5, 5), 1.6).unwrap();
    jpeg(&soft)
}

pub(super) fn plate(scene: &mut Mat, text: &str, at: Rect) {
    imgproc::rectangle(scene, at, Scalar::all(225.0), -1, imgproc::LINE_8, 0).unwrap();
    let scale = f64::from(at.width) / 150.0;
    let corner = Point::new(at.x + at.width / 20, at.y + at.height * 2 / 3);
    let ink = Scalar::new(110.0, 30.0, 30.0, 0.0);
    imgproc::put_text(scene, text, corner, 0, scale, ink, 4, imgproc::LINE_AA, false).unwrap();
}

pub(super) fn jpeg(picture: &Mat) -> Vec<u8> {
    let mut bytes = Vector::new();
    imgcodecs::imencode(".jpg", picture, &mut bytes, &Vector::new()).unwrap();
    bytes.into()
}
