// The factor of a block's sum: its scale in A times its scale in B (numerics.md,
// rule 7.8).
//
//   scale_a_i, scale_b_i   codes of FORMAT
//   factor_o               of E8M0 {nan, exponent[9:0]}, a power of two with a signed
//                          exponent; of the others FP32. LATENCY clocks later (1 to 3)
//
//   FORMAT   1  E8M0: 2^(code - 127), FF is nan (OCP MX 1.0, section 5.4.1)
//            2  E4M3 (OCP FP8 1.0, section 5); products are exact
//            3  FP32, the product is rounded to nearest, ties to even
`default_nettype none

module quaver_block_factor #(
    parameter integer FORMAT   = 1,
    parameter integer LATENCY  = 3,
    // Derived; leave them alone.
    parameter integer SCALE_W  = (FORMAT == 3) ? 32 : 8,
    parameter integer FACTOR_W = (FORMAT == 1) ? 11 : 32
) (
    input  wire                 clk_i,
    input  wire                 rst_ni,
    input  wire [SCALE_W-1:0]   scale_a_i,
    input  wire [SCALE_W-1:0]   scale_b_i,
    output wire [FACTOR_W-1:0]  factor_o
);
    generate
        if (FORMAT < 1 || FORMAT > 3) begin : gen_illegal_format
            quaver_illegal_parameter format_must_be_1_to_3 ();
        end

        if (FORMAT == 1) begin : gen_power
            wire       nan      = (&scale_a_i) || (&scale_b_i);
            wire [9:0] exponent = {2'd0, scale_a_i} + {2'd0, scale_b_i} - 10'd254;

            quaver_delay #(.WIDTH(11), .CLOCKS(LATENCY)) u_power (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      ({nan, exponent}),
                .q_o      (factor_o)
            );
        end else begin : gen_product
            wire [31:0] a, b;

            if (FORMAT == 2) begin : gen_e4m3
                quaver_fp8_to_fp32 u_a (.code_i (scale_a_i), .value_o (a));
                quaver_fp8_to_fp32 u_b (.code_i (scale_b_i), .value_o (b));
            end else begin : gen_fp32
                assign a = scale_a_i;
                assign b = scale_b_i;
            end

            quaver_fp32_multiply #(.LATENCY(LATENCY)) u_multiply (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .a_i       (a),
                .b_i       (b),
                .product_o (factor_o)
            );
        end
    endgenerate
endmodule

`default_nettype wire
